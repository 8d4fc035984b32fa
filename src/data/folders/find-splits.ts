/** Which folders of a data set's folder are its splits. */
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import type { Split } from '../dataset.ts';
import { countClassFolders, holdsImages, listFolder } from './scan-folder.ts';

/** The usual names of each split's folder, in the order in which they are looked for. */
export const splitNames: Readonly<Record<Split, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['val', 'valid', 'validation'],
  test: ['test', 'testing'],
};

const allNames: readonly string[] = Object.values(splitNames).flat();

/** Where the class folders of the splits are. */
export interface FoundSplits {
  readonly root: string;
  /** The folder of each split that there is; none where the class folders are directly in the root. */
  readonly folders: { readonly [S in Split]?: string };
  /** Choices between several folders of one split, as sentences. */
  readonly decisions: readonly string[];
  /** Folders beside those of the splits, which are not read. */
  readonly otherFolders: readonly string[];
}

/**
 * Finds the folders of the splits. A folder is a split only if it holds class folders: a class may be called `train`.
 * @throws DataError if there is no such folder, or its splits have no classes
 */
export async function findSplits(root: string): Promise<FoundSplits> {
  const { folders: names } = await listFolder(root).catch((error: DataError) => {
    throw new DataError(`${error.message}; --data takes 'fashion-mnist' or a folder of class folders`, {
      cause: error.cause,
    });
  });
  const named = names.filter((name) => allNames.includes(name.toLowerCase()));
  const splits: string[] = [];
  for (const name of named) if (await holdsClasses(join(root, name))) splits.push(name);
  if (splits.length === 0) {
    const others = names.filter((name) => !named.includes(name)).map((name) => join(root, name));
    // Otherwise training would tell `train` from `test`.
    if (named.length > 0 && !(await anyHoldsImages(others)))
      throw new DataError(
        `${root}: expected class folders in ${named.join(' and ')}, received images without classes or none`,
      );
    return { root, folders: {}, decisions: [], otherFolders: [] };
  }
  const folders: { [S in Split]?: string } = {};
  const decisions: string[] = [];
  for (const split of Object.keys(splitNames) as Split[]) {
    const found = splitNames[split].flatMap((name) =>
      splits.filter((folder) => folder.toLowerCase() === name),
    );
    const [chosen, ...rest] = found;
    if (chosen === undefined) continue;
    folders[split] = join(root, chosen);
    if (rest.length > 0)
      decisions.push(
        `${root}: ${chosen} is its ${split} split; ${rest.join(' and ')} ${rest.length === 1 ? 'is' : 'are'} not used`,
      );
  }
  return { root, folders, decisions, otherFolders: names.filter((name) => !splits.includes(name)) };
}

async function anyHoldsImages(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) if (await holdsImages(folder)) return true;
  return false;
}

/** Several classes, or one without images beside it: a class `train` may have a sub-folder. */
async function holdsClasses(folder: string): Promise<boolean> {
  const classes = await countClassFolders(folder, { atMost: 2 });
  return classes > 1 || (classes === 1 && (await listFolder(folder)).images.length === 0);
}
