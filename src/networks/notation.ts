/**
 * The paper's figures as plain data. A layer says only what its box in the figure says: input channels, padding in
 * pixels, shapes and names are derived from it by `graph/`.
 *
 * Marks are the paper's own: unmarked is same padding, `V` is valid, with the stride before it.
 */

/** Height by width of a kernel, as printed in the figures: `'3x3'`, `'1x7'`. */
export type Window = `${number}x${number}`;

export type Marks = 'V' | 'stride 2 V' | 'stride 3 V';

/** A convolution followed by batch normalisation and ReLU, the figures' "Conv". */
export interface Conv {
  readonly kind: 'conv';
  readonly window: Window;
  readonly filters: number;
  readonly marks: Marks | undefined;
}

export interface Pool {
  readonly kind: 'maxPool' | 'avgPool';
  readonly window: Window;
  readonly marks: Marks | undefined;
}

/** "Filter concat": the branches' outputs, concatenated by depth in the order given. */
export interface FilterConcat {
  readonly kind: 'filterConcat';
  readonly branches: readonly Branch[];
}

/**
 * input + scale · Linear(concat(branches)), then ReLU. The 1x1 Linear convolution back to the input's depth has a bias
 * and neither batch normalisation nor activation; its filter count is the input's depth, so it is not written.
 */
export interface Residual {
  readonly kind: 'residual';
  readonly scale: number;
  readonly relu: boolean;
  readonly branches: readonly Branch[];
}

export interface Sequence {
  readonly kind: 'sequence';
  readonly layers: readonly Layer[];
}

/** `count` blocks one after the other; see {@link repeat}. */
export interface Repeat {
  readonly kind: 'repeat';
  readonly count: number;
  readonly block: Layer;
  readonly first?: Layer;
  readonly last?: Layer;
}

export interface GlobalAvgPool {
  readonly kind: 'globalAvgPool';
}

export interface Dropout {
  readonly kind: 'dropout';
  /** Probability that a value is kept. */
  readonly keep: number;
}

/** One output for each class. */
export interface FullyConnected {
  readonly kind: 'fullyConnected';
}

/** Fully connected without bias, then batch normalisation without ReLU: facenet's bottleneck. */
export interface Embedding {
  readonly kind: 'embedding';
  readonly features: number;
}

export type Layer =
  | Conv
  | Pool
  | FilterConcat
  | Residual
  | Sequence
  | Repeat
  | GlobalAvgPool
  | Dropout
  | FullyConnected
  | Embedding;

export type Branch = readonly Layer[];
export type Layers = Readonly<Record<string, Layer>>;

/** A second classifier on an inner grid, used in training only (arXiv 1409.4842; here as in arXiv 1512.00567). */
export interface Auxiliary {
  /** Key of the layer whose output it reads. */
  readonly after: string;
  readonly layers: Layers;
}

/** Top-1 and top-5 error in percent on ILSVRC 2012 validation. */
export type Errors = readonly [top1: number, top5: number];

export interface PublishedErrors {
  readonly singleCrop: Errors;
  /** 10 crops for the residual networks, 12 for Inception-v3 and -v4. */
  readonly tenOrTwelveCrops: Errors;
  readonly crops144: Errors;
}

/** The repeated stages whose counts and residual scales are options; `inceptionA` is the A of the paper's networks. */
export type Stage = 'A' | 'B' | 'C';

export interface Network {
  readonly name: string;
  /** One line for a person who chooses between the networks. */
  readonly about: string;
  /** [height, width, channels]. */
  readonly input: readonly [height: number, width: number, channels: number];
  readonly classes: number;
  readonly layers: Layers;
  /** Keys of the repetitions that the options `blocks` and `residualScale` mean by A, B and C. */
  readonly stages?: Readonly<Partial<Record<Stage, string>>>;
  /** Built only when the option `auxiliary` is on. */
  readonly auxiliary?: Auxiliary;
  /** By stride, the part that gives its features, where it is not the last one with that stride. */
  readonly featuresAt?: Readonly<Record<number, string>>;
  readonly published?: PublishedErrors;
}

export const conv = (window: Window, filters: number, marks?: Marks): Conv => ({
  kind: 'conv',
  window,
  filters,
  marks,
});

export const maxPool = (window: Window, marks?: Marks): Pool => ({ kind: 'maxPool', window, marks });

export const avgPool = (window: Window, marks?: Marks): Pool => ({ kind: 'avgPool', window, marks });

export const filterConcat = (...branches: Branch[]): FilterConcat => ({ kind: 'filterConcat', branches });

export const residual = (
  { scale, relu = true }: { scale: number; relu?: boolean },
  ...branches: Branch[]
): Residual => ({ kind: 'residual', scale, relu, branches });

export const sequence = (...layers: Layer[]): Sequence => ({ kind: 'sequence', layers });

/**
 * The same block `count` times. Where the released networks differ in their first or last block, `first` and `last`
 * replace it; with one block only, `last` wins.
 */
export const repeat = (count: number, block: Layer, ends: { first?: Layer; last?: Layer } = {}): Repeat => ({
  kind: 'repeat',
  count,
  block,
  ...ends,
});

export const globalAvgPool = (): GlobalAvgPool => ({ kind: 'globalAvgPool' });

export const dropout = ({ keep }: { keep: number }): Dropout => ({ kind: 'dropout', keep });

export const embedding = (features: number): Embedding => ({ kind: 'embedding', features });

export const fullyConnected = (): FullyConnected => ({ kind: 'fullyConnected' });

/** Block i (from 0) of a repetition. */
export const blockAt = ({ count, block, first, last }: Repeat, index: number): Layer =>
  index === count - 1 && last ? last : index === 0 && first ? first : block;

/** Height and width of a window; throws on text that is not two positive whole numbers. */
export function windowSize(window: Window): readonly [height: number, width: number] {
  const match = /^([1-9]\d*)x([1-9]\d*)$/.exec(window);
  if (!match) throw new TypeError(`a window is written like '3x3' or '1x7'; received '${window}'`);
  return [Number(match[1]), Number(match[2])];
}

/** The table from marks to stride and padding. */
export const markMeanings: Readonly<Record<Marks | 'none', { stride: number; padding: 'same' | 'valid' }>> = {
  none: { stride: 1, padding: 'same' },
  V: { stride: 1, padding: 'valid' },
  'stride 2 V': { stride: 2, padding: 'valid' },
  'stride 3 V': { stride: 3, padding: 'valid' },
};
