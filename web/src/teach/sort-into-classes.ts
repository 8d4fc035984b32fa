/** Images by the folder that they lie in, whose name is their class. Pure. */
import type { NamedFile } from './teaching.ts';

/** A file with the folders that it lay in. */
export interface PlacedFile {
  readonly path: readonly string[];
  readonly file: File;
}

export interface Sorted {
  /** By the folder that they lie in, in the order of its name. */
  readonly classes: readonly { readonly name: string; readonly files: readonly NamedFile[] }[];
  /** Names of files that are no images. */
  readonly leftOut: readonly string[];
}

/** By the type that the browser gives a file's ending; what cannot be decoded is told when it was tried. */
const isImage = ({ type }: File): boolean => type.startsWith('image/');

/** Files that systems put into folders. */
const isHidden = ({ name }: File): boolean => name.startsWith('.') || name === 'Thumbs.db';

export function sortIntoClasses(files: readonly PlacedFile[]): Sorted {
  const byFolder = new Map<string, NamedFile[]>();
  const leftOut: string[] = [];
  for (const { path, file } of files) {
    if (isHidden(file)) continue;
    if (!isImage(file)) {
      leftOut.push([...path, file.name].join('/'));
      continue;
    }
    const folder = path.at(-1) ?? '';
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), { name: file.name, file }]);
  }
  const compare = new Intl.Collator('en', { numeric: true }).compare;
  return {
    classes: [...byFolder]
      .map(([name, inside]) => ({
        name,
        files: inside.toSorted((a, b) => compare(a.name, b.name)),
      }))
      .toSorted((a, b) => compare(a.name, b.name)),
    leftOut: leftOut.toSorted(compare),
  };
}
