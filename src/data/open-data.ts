/** Opens a data set by name or folder. */

import { permutation, randomFor } from '../random.ts';
import type { Dataset, Split } from './dataset.ts';
import { openFashionMnist } from './fashion-mnist/fashion-mnist.ts';
import { openImageFolder, openUnlabelledFolder } from './folders/image-folder.ts';
import { countClassFolders, listFolder } from './folders/scan-folder.ts';

/**
 * Opens `fashion-mnist` or a folder of class folders (`ROOT/CLASS/IMAGE`). A folder with `train` and `val` or `test` is split
 * accordingly; any other folder serves as all splits. What is left out is in the data set's `report`.
 * @throws DataError saying what was missing and what to do.
 */
export const openData = (source: string, split: Split): Promise<Dataset> =>
  source === 'fashion-mnist' ? openFashionMnist(split) : openImageFolder(source, split);

/** Like `openData`, but also accepts a folder of unlabelled images, which has no classes. */
export const openImages = async (source: string, split: Split): Promise<Dataset> =>
  source !== 'fashion-mnist' && (await isUnlabelled(source))
    ? openUnlabelledFolder(source)
    : openData(source, split);

/** Images beside class folders are left out of these, as everywhere. */
async function isUnlabelled(folder: string): Promise<boolean> {
  const { images } = await listFolder(folder);
  return images.length > 0 && (await countClassFolders(folder, { atMost: 2 })) < 2;
}

/** A fixed random subset of `length` images, spread over the whole data set because folders are sorted by class. */
export function subset(dataset: Dataset, length: number): Dataset {
  if (length >= dataset.length) return dataset;
  const chosen = permutation(dataset.length, randomFor(length)).subarray(0, length).sort();
  const original = (index: number) => chosen[index] as number;
  return {
    ...dataset,
    length,
    label: (index) => dataset.label(original(index)),
    image: (index) => dataset.image(original(index)),
    nameOf: (index) => dataset.nameOf(original(index)),
  };
}
