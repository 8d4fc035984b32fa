/** What a set of labelled pictures is. */
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
