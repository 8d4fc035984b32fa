/** Folders of class folders: `ROOT/CLASS/IMAGE`, or `ROOT/train/CLASS/IMAGE` beside `ROOT/test` or `ROOT/val`. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from './data-error.ts';
import type { Dataset, Split } from './dataset.ts';
import { decodeImage, imageExtensions } from './decode.ts';
import { readLabels } from './image-lists.ts';

const splitFolders: Readonly<Record<Split, readonly string[]>> = {
  train: ['train', 'training'],
  test: ['test', 'val', 'validation'],
};

/** Opens a folder; classes and images are sorted by name. @throws DataError naming what is missing. */
export async function openImageFolder(root: string, split: Split): Promise<Dataset> {
  const top = await foldersIn(root);
  const own = splitFolders[split].find((name) => top.includes(name));
  const isSplit = Object.values(splitFolders).some((names) => names.some((name) => top.includes(name)));
  if (isSplit && !own) {
    throw new DataError(
      `${root}: expected a folder '${splitFolders[split].join("' or '")}' beside ${top.join(', ')}`,
    );
  }
  const folder = own ? join(root, own) : root;
  const classes = own ? await foldersIn(folder) : top;
  if (classes.length < 2) {
    throw new DataError(
      `${folder}: expected at least two class folders with images in them, received ${classes.length === 0 ? 'none' : `only '${classes[0]}'`}`,
    );
  }
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    for (const file of await imagesIn(join(folder, name))) {
      files.push(file);
      labels.push(label);
    }
  }
  if (files.length === 0) {
    throw new DataError(
      `${folder}: no images (${imageExtensions.join(', ')}) in its ${classes.length} class folders`,
    );
  }
  return {
    name: folder,
    length: files.length,
    classes,
    label: (index) => labels[index] as number,
    image: (index) => decodeImage(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

interface Entry {
  readonly name: string;
  readonly kind: 'folder' | 'file' | undefined;
}

/** A flat folder whose labels stand in a file; classes are the labels, sorted. @throws DataError */
export async function openLabelledFolder(folder: string, labelsFile: string): Promise<Dataset> {
  const files = await imagesIn(folder);
  if (files.length === 0) throw new DataError(`${folder}: no images (${imageExtensions.join(', ')}) in it`);
  const names = await readLabels(labelsFile, files);
  const classes = sortedLabels(names);
  const places = new Map(classes.map((name, index) => [name, index]));
  return {
    name: folder,
    length: files.length,
    classes,
    label: (index) => places.get(names[index] as string) as number,
    image: (index) => decodeImage(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

/** A folder of images without labels. @throws DataError */
export async function openUnlabelledFolder(folder: string): Promise<Dataset> {
  const files = await imagesIn(folder);
  if (files.length === 0) throw new DataError(`${folder}: no images (${imageExtensions.join(', ')}) in it`);
  return {
    name: folder,
    length: files.length,
    classes: [],
    label: () => -1,
    image: (index) => decodeImage(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

/** Numbers by size, names by letters. */
function sortedLabels(names: readonly string[]): string[] {
  const all = [...new Set(names)];
  const numbers = all.every((name) => /^\d+$/.test(name));
  if (!numbers) return all.sort();
  // A class that no image has keeps its number.
  const most = all.reduce((largest, name) => Math.max(largest, Number(name)), 0);
  if (most > 100_000) throw new DataError(`the label ${most} is no class's number`);
  return Array.from({ length: most + 1 }, (_, index) => String(index));
}

async function list(folder: string): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const seen = entries
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return await Promise.all(
      seen.map(async (entry) => {
        // Data sets are often put together from links.
        const about = entry.isSymbolicLink()
          ? await stat(join(folder, entry.name)).catch(() => undefined)
          : entry;
        return {
          name: entry.name,
          kind: about?.isDirectory() ? 'folder' : about?.isFile() ? 'file' : undefined,
        };
      }),
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem =
      code === 'ENOENT'
        ? 'there is no such folder'
        : code === 'ENOTDIR'
          ? 'is a file, expected a folder'
          : code;
    throw new DataError(`${folder}: ${problem}; --data takes 'fashion-mnist' or a folder of class folders`, {
      cause: error,
    });
  }
}

const foldersIn = async (folder: string): Promise<string[]> =>
  (await list(folder)).filter(({ kind }) => kind === 'folder').map(({ name }) => name);

export const imagesIn = async (folder: string): Promise<string[]> =>
  (await list(folder))
    .filter(({ kind, name }) => kind === 'file' && imageExtensions.includes(extname(name).toLowerCase()))
    .map(({ name }) => join(folder, name));
