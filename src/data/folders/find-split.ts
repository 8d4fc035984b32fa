/** Which folder of a data set's folder is a split of it. */
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import type { Split } from '../dataset.ts';
import { countClassFolders, holdsImages, listFolder } from './scan-folder.ts';

const validation = ['val', 'valid', 'validation'] as const;
const test = ['test', 'testing'] as const;

/** The usual names of each split's folder, in the order in which they are looked for. */
const splitFolders: Readonly<Record<Split, readonly string[]>> = {
  train: ['train', 'training'],
  validation: [...validation, ...test],
  test: [...test, ...validation],
};

const allNames: readonly string[] = [...new Set(Object.values(splitFolders).flat())];

/** Where a split's class folders are. */
export interface FoundSplit {
  readonly folder: string;
  readonly decisions: readonly string[];
  /** Folders beside those of the splits, which are not read. */
  readonly otherFolders: readonly string[];
}

/**
 * Finds the folder of a split. A folder is a split only if it holds class folders: a class may be called `train`. A folder
 * without splits serves as all of them.
 * @throws DataError naming what is missing
 */
export async function findSplit(root: string, split: Split): Promise<FoundSplit> {
  const { folders } = await listFolder(root).catch((error: DataError) => {
    throw new DataError(`${error.message}; --data takes 'fashion-mnist' or a folder of class folders`, {
      cause: error.cause,
    });
  });
  const named = folders.filter((name) => allNames.includes(name.toLowerCase()));
  const splits: string[] = [];
  for (const name of named) if (await holdsClasses(join(root, name))) splits.push(name);
  if (splits.length === 0) {
    const others = folders.filter((name) => !named.includes(name)).map((name) => join(root, name));
    // Otherwise training would tell `train` from `test`.
    if (named.length > 0 && !(await anyHoldsImages(others)))
      throw new DataError(
        `${root}: expected class folders in ${named.join(' and ')}, received images without classes or none`,
      );
    const shared = `${root}: has no folders train, val or test, so that training and evaluation use the same images`;
    return { folder: root, decisions: split === 'validation' ? [shared] : [], otherFolders: [] };
  }
  const wanted = splitFolders[split];
  const found = wanted.flatMap((name) => splits.filter((folder) => folder.toLowerCase() === name));
  const [chosen] = found;
  if (chosen === undefined)
    throw new DataError(
      `${root}: expected a folder '${wanted.join("' or '")}' with class folders beside ${folders.join(', ')}`,
    );
  return {
    folder: join(root, chosen),
    decisions: describeChoice(root, { split, chosen, splits }),
    otherFolders: folders.filter((name) => !splits.includes(name)),
  };
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

function describeChoice(
  root: string,
  { split, chosen, splits }: { split: Split; chosen: string; splits: readonly string[] },
): string[] {
  if (split === 'train') return [];
  const held = splits.filter((name) => name !== chosen && !splitFolders.train.includes(name.toLowerCase()));
  const other =
    held.length === 0 ? '' : `; ${held.join(' and ')} ${held.length === 1 ? 'is' : 'are'} not used here`;
  const named = (names: readonly string[]) => names.includes(chosen.toLowerCase());
  if (split === 'validation' && named(test))
    return [
      `${root}: has no folder val, so that ${chosen} is used for the evaluations during training${other}`,
    ];
  if (split === 'test' && named(validation))
    return [`${root}: has no folder test, so that ${chosen} is used${other}`];
  return held.length === 0 ? [] : [`${root}: evaluated on ${chosen}${other}`];
}
