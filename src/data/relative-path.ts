/** What an image is called wherever its data set lies. Pure. */
import { sep } from 'node:path';
import type { Dataset } from './dataset.ts';

/** `cat/1.jpg`: below the folder of the class folders, with `/`. */
export function relativePath(
  { name, nameOf, pathOf }: Pick<Dataset, 'name' | 'nameOf' | 'pathOf'>,
  index: number,
): string {
  if (pathOf) return pathOf(index);
  const whole = nameOf(index);
  const folder = name.endsWith(sep) ? name : name + sep;
  return (whole.startsWith(folder) ? whole.slice(folder.length) : whole).replaceAll(sep, '/');
}
