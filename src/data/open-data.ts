/** Opens one split of a data set by name or folder. */
import { basename } from 'node:path';
import { DataError } from './data-error.ts';
import type { Dataset, Split } from './dataset.ts';
import { openFashionMnist } from './fashion-mnist/fashion-mnist.ts';
import { type FoundSplits, findSplits, trainingFolder } from './folders/find-splits.ts';
import { openClassFolders } from './folders/image-folder.ts';
import { countClassFolders, listFolder } from './folders/scan-folder.ts';

/**
 * Opens a split of `fashion-mnist` or of a folder of class folders (`ROOT/CLASS/IMAGE`). `train` is every training image, and `validation`
 * a folder of its own: `openSplits` takes validation images from those of training. A folder without a `test` split is tested
 * on `val`, which is said; one without splits serves as `train` and `test`. What is left out is in the data set's `report`.
 * @throws DataError saying what was missing and what to do.
 */
export async function openData(source: string, split: Split): Promise<Dataset> {
  if (source === 'fashion-mnist') {
    if (split === 'validation') throw withoutValidation(source);
    return openFashionMnist(split);
  }
  const found = await findSplits(source);
  const { decisions, otherFolders } = found;
  const { folder, choice } = folderOf(found, split);
  return openClassFolders(folder, {
    decisions: [...choice, ...decisions],
    otherFolders,
    fewestClasses: split === 'train' || folder === found.root ? 2 : 1,
  });
}

interface Chosen {
  readonly folder: string;
  readonly choice: readonly string[];
}

function folderOf(found: FoundSplits, split: Split): Chosen {
  const { root, folders } = found;
  const { train, validation, test } = folders;
  if (split === 'train') return { folder: trainingFolder(found), choice: [] };
  if (split === 'validation') {
    if (validation === undefined) throw withoutValidation(root);
    return { folder: validation, choice: [] };
  }
  if (test !== undefined) {
    const unused =
      validation && `${root}: evaluated on ${basename(test)}; ${basename(validation)} is not used here`;
    return { folder: test, choice: unused === undefined ? [] : [unused] };
  }
  if (validation !== undefined)
    return {
      folder: validation,
      choice: [`${root}: has no folder test, so that ${basename(validation)} is used`],
    };
  if (train === undefined) return { folder: root, choice: [] };
  throw new DataError(
    `${root}: expected a folder 'test' or 'val' with class folders beside ${basename(train)}; the images of training are those of ${train}`,
  );
}

const withoutValidation = (source: string) =>
  new DataError(
    `${source}: expected a folder 'val' with class folders; openSplits takes validation images from those of training`,
  );

/** Whether a data set is a folder of images without classes; images beside class folders are left out of these, as everywhere. */
export async function isUnlabelled(source: string): Promise<boolean> {
  if (source === 'fashion-mnist') return false;
  const { images } = await listFolder(source);
  return images.length > 0 && (await countClassFolders(source, { atMost: 2 })) < 2;
}
