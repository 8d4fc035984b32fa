/** Batches as plain data, and what is asked of them. */
import type { MixedLabels } from '../images/augmentation/mix.ts';
import type { Augmentation } from '../images/augmentation.ts';
import type { Sampling } from './epoch-order.ts';

export interface Batch {
  /** [n, height, width, 3] */
  readonly images: Uint8Array;
  /** [n] */
  readonly labels: BigInt64Array;
  /** Where images are mixed: the labels of the other images. */
  readonly mixed: MixedLabels | undefined;
  /** Indices into the data set. */
  readonly indices: readonly number[];
}

export interface TrainingBatch extends Batch {
  /** From 0. */
  readonly epoch: number;
  /** From 0 in each epoch: every replica has a batch of this position. */
  readonly position: number;
  /** From 0. */
  readonly replica: number;
}

/** The replicas of a training, of which each has batches of its own: together they have each image of an epoch once. */
export interface Replicas {
  readonly count: number;
  /** Those of this process, ascending. */
  readonly own: readonly number[];
}

export interface TrainingBatchOptions {
  /** Images of one replica. */
  readonly batch: number;
  /** Whose batches these are: for each position one of each own replica. Default: the only one. */
  readonly replicas?: Replicas;
  readonly size: readonly [height: number, width: number];
  readonly augmentation: Augmentation;
  readonly seed: number;
  /** Default 'shuffle'. */
  readonly sampling?: Sampling;
  /** Where to begin; a resumed training run sees exactly the batches that it would have seen. */
  readonly start?: { readonly epoch: number; readonly position: number };
  /**
   * Asking for a batch gives the memory of the one before back, to be written anew: it must not be used any more. A batch is megabytes, and
   * collecting them costs the main thread more than anything else that it does for images. Streams do not use it. Default false.
   */
  readonly reuse?: boolean;
  /** Called once for every image that cannot be used; another image replaces it. Of a stream, with its name. */
  readonly onBroken?: (error: Error, index: number, name?: string) => void;
  /** Of a stream: what was passed over, came again, broke off. */
  readonly onNotice?: ((message: string) => void) | undefined;
}
