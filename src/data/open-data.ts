/** Labelled pictures from where they lie. */
import type { Dataset, Split } from './dataset.ts';
import { openFashionMnist } from './fashion-mnist.ts';
import { openImageFolder, openUnlabelledFolder, picturesIn } from './image-folder.ts';
import { permutation, randomFor } from './random.ts';

/**
 * Opens `fashion-mnist` or a folder of class folders (`ROOT/CLASS/PICTURE`). A folder that holds `train` and `test` (or
 * `val`) is split by them; any other serves as both.
 * @throws DataError saying what was looked for and what to do.
 */
export const openData = (what: string, split: Split): Promise<Dataset> =>
  what === 'fashion-mnist' ? openFashionMnist(split) : openImageFolder(what, split);

/** The same, or a folder with nothing but pictures in it; that has no classes. */
export const openPictures = async (what: string, split: Split): Promise<Dataset> =>
  what !== 'fashion-mnist' && (await picturesIn(what)).length > 0
    ? openUnlabelledFolder(what)
    : openData(what, split);

/** `length` pictures of a dataset, the same ones every time, spread over all of it: folders are sorted by class. */
export function take(dataset: Dataset, length: number): Dataset {
  if (length >= dataset.length) return dataset;
  const chosen = permutation(dataset.length, randomFor(length)).subarray(0, length).sort();
  const at = (index: number) => chosen[index] as number;
  return {
    name: dataset.name,
    length,
    classes: dataset.classes,
    label: (index) => dataset.label(at(index)),
    picture: (index) => dataset.picture(at(index)),
    nameOf: (index) => dataset.nameOf(at(index)),
  };
}
