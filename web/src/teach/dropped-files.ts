/** The files of what a person drops or chooses: files, or folders with what lies in them. */
import type { PlacedFile } from './sort-into-classes.ts';

/** Of an input that takes a folder. */
export const chosenFiles = (files: FileList | null): PlacedFile[] =>
  [...(files ?? [])].map((file) => ({
    path: file.webkitRelativePath.split('/').slice(0, -1),
    file,
  }));

/** Of a drop: what lies in dropped folders, however deep. */
export async function droppedFiles(data: DataTransfer): Promise<PlacedFile[]> {
  // Read before anything is awaited: afterwards the items are gone.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry());
  const plain = [...data.files];
  if (entries.every((entry) => entry === null)) return plain.map((file) => ({ path: [], file }));
  const found = await Promise.all(entries.map((entry) => (entry ? filesIn(entry, []) : [])));
  return found.flat();
}

async function filesIn(entry: FileSystemEntry, path: readonly string[]): Promise<PlacedFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    // A hundred at a time, until there are none.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    inside.push(...some);
  }
  const found = await Promise.all(inside.map((each) => filesIn(each, [...path, entry.name])));
  return found.flat();
}
