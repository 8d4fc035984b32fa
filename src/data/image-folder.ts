/** Folders of class folders: `ROOT/CLASS/PICTURE`, or `ROOT/train/CLASS/PICTURE` beside `ROOT/test` or `ROOT/val`. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Dataset, Split } from './dataset.ts';
import { decodePicture, pictureExtensions } from './decode.ts';
import { DataError } from './idx.ts';

const splitFolders: Readonly<Record<Split, readonly string[]>> = {
  train: ['train', 'training'],
  test: ['test', 'val', 'validation'],
};

/** Opens a folder; classes and pictures are sorted by name. @throws DataError naming what is missing. */
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
      `${folder}: expected at least two class folders with pictures in them, received ${classes.length === 0 ? 'none' : `only '${classes[0]}'`}`,
    );
  }
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    for (const file of await picturesIn(join(folder, name))) {
      files.push(file);
      labels.push(label);
    }
  }
  if (files.length === 0) {
    throw new DataError(
      `${folder}: no pictures (${pictureExtensions.join(', ')}) in its ${classes.length} class folders`,
    );
  }
  return {
    name: folder,
    length: files.length,
    classes,
    label: (index) => labels[index] as number,
    picture: (index) => decodePicture(files[index] as string),
    nameOf: (index) => files[index] as string,
  };
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
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
  (await list(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);

const picturesIn = async (folder: string): Promise<string[]> =>
  (await list(folder))
    .filter((entry) => entry.isFile() && pictureExtensions.includes(extname(entry.name).toLowerCase()))
    .map(({ name }) => join(folder, name));
