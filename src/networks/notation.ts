/**
 * The paper's figures as plain data. A layer says only what its box in the figure says: input channels, padding in
 * pixels, shapes and names are derived from it by `graph/`.
 *
 * Marks are the paper's own: unmarked is same padding, `V` is valid, with the stride before it.
 */

/** Height by width of a kernel, as printed in the figures: `'3x3'`, `'1x7'`. */
export type Window = `${number}x${number}`;

type Stride = `stride ${2 | 3 | 4}`;

/** How a window moves and is padded: `stride 2` with same padding, `stride 2 V` without padding. */
export type Marks = 'V' | Stride | `${Stride} V`;

/** A convolution may also be `Linear`: no ReLU follows. */
export type ConvMarks = Marks | 'Linear' | `${Marks} Linear`;

/** What a figure's "Conv" box leaves to the text beside it. */
export interface ConvOptions {
  /** Channels and filters in so many groups that do not see each other (ResNeXt). Default 1. */
  readonly groups?: number;
  /** Whether batch normalisation follows. Default true. */
  readonly norm?: boolean;
  /** Default: where no batch normalisation follows, whose beta does the same. */
  readonly bias?: boolean;
}

/** A convolution followed by batch normalisation and ReLU, the figures' "Conv". */
export interface Conv extends ConvOptions {
  readonly kind: 'conv';
  readonly window: Window;
  readonly filters: number;
  readonly marks: ConvMarks | undefined;
}

/** A convolution of each channel by itself: as many groups and filters as channels, so neither is written. */
export interface Depthwise extends Omit<ConvOptions, 'groups'> {
  readonly kind: 'depthwise';
  readonly window: Window;
  readonly marks: ConvMarks | undefined;
}

/** A ReLU by itself, as before the convolutions of Xception. */
export interface Relu {
  readonly kind: 'relu';
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

/**
 * The sum of the branches' outputs, then ReLU. An empty branch is the input itself: `sum([], [...])` is a residual block
 * as ResNet's, and with a convolution in the first branch its shortcut is projected.
 */
export interface Sum {
  readonly kind: 'sum';
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

/** A box of a figure, or several together. */
export type Layer =
  | Conv
  | Depthwise
  | Relu
  | Pool
  | FilterConcat
  | Residual
  | Sum
  | Sequence
  | Repeat
  | GlobalAvgPool
  | Dropout
  | FullyConnected
  | Embedding;

/** Layers one after the other. */
export type Branch = readonly Layer[];
/** The parts of a network in order; their keys are the beginnings of the layers' names. */
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

/** A network as its figures draw it. */
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
  /**
   * What same padding with a stride is: TensorFlow keeps ⌈size / stride⌉ and puts an odd pixel at the end; networks of
   * PyTorch pad (window − 1) / 2 on every side. Without a stride both are the same. Default tensorflow.
   */
  readonly samePadding?: 'tensorflow' | 'torch';
  /** Added to the variance in batch normalisation. Default 0.001, as in every released Inception network. */
  readonly epsilon?: number;
  /** Built only when the option `auxiliary` is on. */
  readonly auxiliary?: Auxiliary;
  /** By stride, the part that gives its features, where it is not the last one with that stride. */
  readonly featuresAt?: Readonly<Record<number, string>>;
  readonly published?: PublishedErrors;
}

/** A convolution's window and filters, with its marks: `conv('3x3', 64, 'stride 2 V')`, `conv('1x1', 256, 'Linear')`. */
export const conv = (
  window: Window,
  filters: number,
  marks?: ConvMarks,
  options: ConvOptions = {},
): Conv => ({ kind: 'conv', window, filters, marks, ...options });

/** Each channel by itself. Before a 1x1 convolution it makes what Xception calls a separable convolution. */
export const depthwise = (
  window: Window,
  marks?: ConvMarks,
  options: Omit<ConvOptions, 'groups'> = {},
): Depthwise => ({ kind: 'depthwise', window, marks, ...options });

/** A ReLU by itself. */
export const relu = (): Relu => ({ kind: 'relu' });

/** Max pooling. */
export const maxPool = (window: Window, marks?: Marks): Pool => ({ kind: 'maxPool', window, marks });

/** Average pooling. */
export const avgPool = (window: Window, marks?: Marks): Pool => ({ kind: 'avgPool', window, marks });

/** Branches side by side, concatenated by depth: the figures' "Filter concat". */
export const filterConcat = (...branches: Branch[]): FilterConcat => ({ kind: 'filterConcat', branches });

/** An Inception-ResNet block: the input plus the scaled sum of what the branches add, then ReLU. */
export const residual = (
  { scale, relu = true }: { scale: number; relu?: boolean },
  ...branches: Branch[]
): Residual => ({ kind: 'residual', scale, relu, branches });

/** Branches added up, with a ReLU after the sum: `sum([], [conv('3x3', 64), conv('3x3', 64, 'Linear')])`. */
export const sum = (...branches: Branch[]): Sum => ({ kind: 'sum', relu: true, branches });

/** The same without the ReLU. */
export const linearSum = (...branches: Branch[]): Sum => ({ kind: 'sum', relu: false, branches });

/** Layers one after the other as one. */
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

/** The mean over each whole channel. */
export const globalAvgPool = (): GlobalAvgPool => ({ kind: 'globalAvgPool' });

/** Dropout that keeps each value with the probability `keep`; training only. */
export const dropout = ({ keep }: { keep: number }): Dropout => ({ kind: 'dropout', keep });

/** Fully connected without bias, then batch normalisation without ReLU: features that stand for the image. */
export const embedding = (features: number): Embedding => ({ kind: 'embedding', features });

/** The classifier: a dense layer with as many outputs as there are classes. */
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

export interface MarkMeaning {
  readonly stride: number;
  readonly padding: 'same' | 'valid';
  /** Whether a ReLU follows. */
  readonly relu: boolean;
}

/** What marks say; throws on text that is none. */
export function meaningOf(marks: ConvMarks | undefined): MarkMeaning {
  const match = /^(?:stride ([1-9]\d*))? ?(V)? ?(Linear)?$/.exec(marks ?? '');
  if (!match) {
    throw new TypeError(
      `marks are 'V', 'stride 2', 'stride 2 V', of a convolution also 'Linear' after them; received '${marks}'`,
    );
  }
  const [, stride, valid, linear] = match;
  return { stride: Number(stride ?? 1), padding: valid ? 'valid' : 'same', relu: !linear };
}
