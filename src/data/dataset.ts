/** What a set of labelled images is. */
import type { Image } from '../images/image.ts';

export type Split = 'train' | 'test';

export interface Dataset {
  /** `fashion-mnist test` */
  readonly name: string;
  readonly length: number;
  readonly classes: readonly string[];
  label(index: number): number;
  /** Decodes an image. @throws DataError naming the file. */
  image(index: number): Image | Promise<Image>;
  /** What to call an image in messages and reports. */
  nameOf(index: number): string;
}
