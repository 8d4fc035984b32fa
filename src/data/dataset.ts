/** A set of labelled images. */
import type { Image } from '../images/image.ts';

/** Which part of a data set. */
export type Split = 'train' | 'test';

/** Images with labels, each read when it is asked for. */
export interface Dataset {
  /** `fashion-mnist test` */
  readonly name: string;
  readonly length: number;
  readonly classes: readonly string[];
  label(index: number): number;
  /** Reads and decodes an image. @throws DataError naming the file. */
  image(index: number): Image | Promise<Image>;
  /** Name of an image in messages and reports. */
  nameOf(index: number): string;
}
