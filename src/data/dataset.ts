/** A set of labelled images. */
import type { Image } from '../images/image.ts';

/**
 * Which part of a data set: `train`; `validation`, for evaluations during training, by which a model is chosen; `test`, which is
 * looked at once, at the end.
 */
export type Split = 'train' | 'validation' | 'test';

/** Files or folders that are not part of a data set, for one reason. */
export interface LeftOut {
  /** In the plural: `.bmp files`, `folders without images`. */
  readonly what: string;
  readonly count: number;
  /** The first few, relative to the data set's folder. */
  readonly examples: readonly string[];
}

/** What was found where a data set was opened, besides its images. */
export interface DataReport {
  readonly leftOut: readonly LeftOut[];
  /** Decisions in the user's place, as sentences. */
  readonly decisions: readonly string[];
}

/** The bytes of an image file, or where they lie: a whole file, or `length` bytes of it from `offset` (a member of an archive). */
export type EncodedImage =
  | { readonly file: string; readonly offset?: number; readonly length?: number }
  | { readonly bytes: Uint8Array };

/** An image of a stream, as it came. */
export interface StreamedImage {
  /** `train-0003.tar/cat/1.jpg` */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Undefined where it has none that is a class. */
  readonly label: number | undefined;
}

/** Where a stream is read from. */
export interface StreamPosition {
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** Images of the epoch that were given out before. */
  readonly given: number;
  /** Which of how many replicas of a training reads: each has images of its own. */
  readonly replica: number;
  readonly of: number;
  readonly signal: AbortSignal;
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** Images that can only be read one after the other, for a training. */
export interface ImageStream {
  /** What it is known by, wherever it lies: names of its shards. */
  readonly identity: string;
  /** Images of each class; undefined where nobody has counted them. */
  readonly perClass: readonly number[] | undefined;
  /** The images of an epoch, in an order that follows from seed and epoch. @throws DataError, StorageError */
  read(position: StreamPosition): AsyncGenerator<StreamedImage>;
}

/** Images with labels, each read when it is asked for. */
export interface Dataset {
  /** `fashion-mnist test` */
  readonly name: string;
  readonly length: number;
  readonly classes: readonly string[];
  /** Identifiers of the classes, such as ImageNet's synsets, where the data have both. */
  readonly classIds?: readonly string[];
  label(index: number): number;
  /** Reads and decodes an image. @throws DataError naming the file. */
  image(index: number): Image | Promise<Image>;
  /** The image before it is decoded, for whoever decodes a part of it only; none where images are stored as pixels. */
  encoded?(index: number): EncodedImage | Promise<EncodedImage>;
  /** Name of an image in messages and reports. */
  nameOf(index: number): string;
  /**
   * Path of an image below the folder of the class folders, `cat/1.jpg`, by which validation images are chosen; where it is not the
   * rest of `nameOf` behind `name`.
   */
  pathOf?(index: number): string;
  /** Where images cannot be read one by one: `image` and `label` then have nothing to say of an index. */
  readonly stream?: ImageStream;
  /** What was left out where it was opened, and decided. */
  readonly report?: DataReport;
}
