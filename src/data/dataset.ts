/** Labelled pictures from where they lie. */
import { openFashionMnist } from './fashion-mnist.ts';
import { openImageFolder } from './image-folder.ts';
import type { Picture } from './picture.ts';

export type Split = 'train' | 'test';

export interface Dataset {
  /** `fashion-mnist test` */
  readonly name: string;
  readonly length: number;
  readonly classes: readonly string[];
  label(index: number): number;
  /** Decodes a picture. @throws DataError naming the file. */
  picture(index: number): Picture | Promise<Picture>;
  /** What to call a picture in messages and reports. */
  nameOf(index: number): string;
}

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
