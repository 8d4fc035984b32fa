/** Labelled images from where they lie. */

import { permutation, randomFor } from '../random.ts';
import type { Dataset, Split } from './dataset.ts';
import { openFashionMnist } from './fashion-mnist.ts';
import { imagesIn, openImageFolder, openUnlabelledFolder } from './image-folder.ts';

/**
 * Opens `fashion-mnist` or a folder of class folders (`ROOT/CLASS/IMAGE`). A folder that holds `train` and `test` (or
 * `val`) is split by them; any other serves as both.
 * @throws DataError saying what was looked for and what to do.
 */
export const openData = (what: string, split: Split): Promise<Dataset> =>
  what === 'fashion-mnist' ? openFashionMnist(split) : openImageFolder(what, split);

/** The same, or a folder with nothing but images in it; that has no classes. */
export const openImages = async (what: string, split: Split): Promise<Dataset> =>
  what !== 'fashion-mnist' && (await imagesIn(what)).length > 0
    ? openUnlabelledFolder(what)
    : openData(what, split);

/** `length` images of a dataset, the same ones every time, spread over all of it: folders are sorted by class. */
export function take(dataset: Dataset, length: number): Dataset {
  if (length >= dataset.length) return dataset;
  const chosen = permutation(dataset.length, randomFor(length)).subarray(0, length).sort();
  const at = (index: number) => chosen[index] as number;
  return {
    name: dataset.name,
    length,
    classes: dataset.classes,
    label: (index) => dataset.label(at(index)),
    image: (index) => dataset.image(at(index)),
    nameOf: (index) => dataset.nameOf(at(index)),
  };
}
