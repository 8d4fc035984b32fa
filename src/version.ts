/** The package's name and version, from the one place where they stand. */
import { readFileSync } from 'node:fs';

export const { name: packageName, version: packageVersion } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { readonly name: string; readonly version: string };
