/** Labelled pictures from where they lie. */
import type { Dataset, Split } from './dataset.ts';
import { openFashionMnist } from './fashion-mnist.ts';
import { openImageFolder } from './image-folder.ts';

/**
 * Opens `fashion-mnist` or a folder of class folders (`ROOT/CLASS/PICTURE`). A folder that holds `train` and `test` (or
 * `val`) is split by them; any other serves as both.
 * @throws DataError saying what was looked for and what to do.
 */
export const openData = (what: string, split: Split): Promise<Dataset> =>
  what === 'fashion-mnist' ? openFashionMnist(split) : openImageFolder(what, split);

/** The first `length` pictures. */
export const take = (dataset: Dataset, length: number): Dataset => ({
  ...dataset,
  length: Math.min(length, dataset.length),
});
