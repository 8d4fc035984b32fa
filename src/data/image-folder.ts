/** Folders of class folders: `ROOT/CLASS/IMAGE`, or `ROOT/train/CLASS/IMAGE` beside `ROOT/test` or `ROOT/val`. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from './data-error.ts';
import type { Dataset, Split } from './dataset.ts';
import { decodeImage, imageExtensions } from './decode.ts';
import { readLabels } from './labels/image-labels.ts';

const splitFolders: Readonly<Record<Split, readonly string[]>> = {
  train: ['train', 'training'],
  test: ['test', 'val', 'validation'],
};

/** Opens a folder; classes and images are sorted by name. @throws DataError naming what is missing. */
export async function openImageFolder(root: string, split: Split): Promise<Dataset> {
  const top = await foldersIn(root);
  const splitFolder = splitFolders[split].find((name) => top.includes(name));
  const hasSplits = Object.values(splitFolders).some((names) => names.some((name) => top.includes(name)));
  if (hasSplits && !splitFolder) {
    throw new DataError(
      `${root}: expected a folder '${splitFolders[split].join("' or '")}' beside ${top.join(', ')}`,
    );
  }
  const folder = splitFolder ? join(root, splitFolder) : root;
  const classes = splitFolder ? await foldersIn(folder) : top;
  if (classes.length < 2) {
    throw new DataError(
      `${folder}: expected at least two class folders with images, received ${classes.length === 0 ? 'none' : `only '${classes[0]}'`}`,
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

/** A flat folder with a file of labels; the classes are the sorted labels. @throws DataError */
export async function openLabelledFolder(
  folder: string,
  labelsFile: string,
  { onNotice }: { readonly onNotice?: (line: string) => void } = {},
): Promise<Dataset> {
  const files = await imagesIn(folder);
  if (files.length === 0)
    throw new DataError(`${folder}: contains no images (${imageExtensions.join(', ')})`);
  const { labels: names, notices } = await readLabels(labelsFile, files);
  for (const notice of notices) onNotice?.(notice);
  const classes = sortedLabels(names);
  const classIndex = new Map(classes.map((name, index) => [name, index]));
  return {
    name: folder,
    length: files.length,
    classes,
    label: (index) => classIndex.get(names[index] as string) as number,
    image: (index) => decodeImage(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

/** A folder of images without labels. @throws DataError */
export async function openUnlabelledFolder(folder: string): Promise<Dataset> {
  const files = await imagesIn(folder);
  if (files.length === 0)
    throw new DataError(`${folder}: contains no images (${imageExtensions.join(', ')})`);
  return {
    name: folder,
    length: files.length,
    classes: [],
    label: () => -1,
    image: (index) => decodeImage(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

/** Sorts numbers numerically, names alphabetically. */
function sortedLabels(names: readonly string[]): string[] {
  const unique = [...new Set(names)];
  return unique.every((name) => /^\d+$/.test(name))
    ? unique.sort((a, b) => Number(a) - Number(b))
    : unique.sort();
}

async function list(folder: string): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const visible = entries
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return await Promise.all(
      visible.map(async (entry) => {
        // Data sets are often assembled from symbolic links.
        const info = entry.isSymbolicLink()
          ? await stat(join(folder, entry.name)).catch(() => undefined)
          : entry;
        return {
          name: entry.name,
          kind: info?.isDirectory() ? 'folder' : info?.isFile() ? 'file' : undefined,
        };
      }),
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem =
      code === 'ENOENT' ? 'no such folder' : code === 'ENOTDIR' ? 'is a file, expected a folder' : code;
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
