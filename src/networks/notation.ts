/**
 * The paper's figures as plain data. A layer holds only what its box in the figure says; `graph/` derives input channels,
 * padding in pixels, shapes and names.
 *
 * Marks are the paper's: unmarked is same padding, `V` is valid padding, and the stride comes first.
 */

/** Height by width of a kernel, as printed in the figures: `'3x3'`, `'1x7'`. */
export type Window = `${number}x${number}`;

type Stride = `stride ${2 | 3 | 4}`;

/** How a window moves and is padded: `stride 2` with same padding, `stride 2 V` without padding. */
export type Marks = 'V' | Stride | `${Stride} V`;

/** A convolution may also be `Linear`: no ReLU follows. */
export type ConvMarks = Marks | 'Linear' | `${Marks} Linear`;

/** Properties of a convolution that the figures do not draw. */
export interface ConvOptions {
  /** Number of groups of channels and filters that are convolved separately (ResNeXt). Default 1. */
  readonly groups?: number;
  /** Whether batch normalisation follows. Default true. */
  readonly norm?: boolean;
  /** Default: only without batch normalisation, whose beta has the same effect. */
  readonly bias?: boolean;
}

/** A convolution followed by batch normalisation and ReLU, the figures' "Conv". */
export interface Conv extends ConvOptions {
  readonly kind: 'conv';
  readonly window: Window;
  readonly filters: number;
  readonly marks: ConvMarks | undefined;
}

/** A depthwise convolution: as many groups and filters as channels, so neither is given. */
export interface Depthwise extends Omit<ConvOptions, 'groups'> {
  readonly kind: 'depthwise';
  readonly window: Window;
  readonly marks: ConvMarks | undefined;
}

/** A separate ReLU, as before Xception's convolutions. */
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
 * and neither batch normalisation nor activation; its filter count is the input's depth, so it is not given.
 */
export interface Residual {
  readonly kind: 'residual';
  readonly scale: number;
  readonly relu: boolean;
  /** Whether the input is added; without it there is nothing to scale either. Default true. */
  readonly shortcut?: boolean;
  /** Whether batch normalisation follows the sum, before the ReLU. Default false, as in the paper. */
  readonly norm?: boolean;
  readonly branches: readonly Branch[];
}

/**
 * The sum of the branches' outputs, then ReLU. An empty branch is the input itself: `sum([], [...])` is a ResNet block;
 * a convolution in the first branch makes its shortcut projected.
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

/** One output per class. */
export interface FullyConnected {
  readonly kind: 'fullyConnected';
}

/** Fully connected without bias, then batch normalisation without ReLU: facenet's bottleneck. */
export interface Embedding {
  readonly kind: 'embedding';
  readonly features: number;
}

/** Fully connected with a bias, then ReLU: a hidden layer of a classifier. No released network has one; fine-tuned ones often do. */
export interface Dense {
  readonly kind: 'dense';
  readonly units: number;
}

/** A box of a figure, or several combined. */
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
  | Embedding
  | Dense;

/** Layers one after the other. */
export type Branch = readonly Layer[];
/** The parts of a network in order; layer names begin with their keys. */
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

/** Where a part of a network is printed, and where it departs from print. */
export interface Printed {
  /** `figure 4`, or `figure 10 of arXiv 1512.00567`. Default: no figure shows it. */
  readonly figure?: string;
  /** What differs from print and why, by the layer inside the part: `branch3`, `branch2/conv2`; `''` for all of it. */
  readonly departures?: Readonly<Record<string, string>>;
}

/** A network as drawn in its figures. */
export interface Network {
  readonly name: string;
  /** One line that helps to choose between networks. */
  readonly about: string;
  /** [height, width, channels]. */
  readonly input: readonly [height: number, width: number, channels: number];
  readonly classes: number;
  readonly layers: Layers;
  /** Keys of the repeats that the options `blocks` and `residualScale` call A, B and C. */
  readonly stages?: Readonly<Partial<Record<Stage, string>>>;
  /**
   * Convention for same padding with a stride: TensorFlow outputs ⌈size / stride⌉ and puts an odd pixel at the end; PyTorch
   * networks pad (window − 1) / 2 on every side. Without a stride both agree. Default tensorflow.
   */
  readonly samePadding?: 'tensorflow' | 'torch';
  /** Added to the variance in batch normalisation. Default 0.001, as in every released Inception network. */
  readonly epsilon?: number;
  /** Built only when the option `auxiliary` is on. */
  readonly auxiliary?: Auxiliary;
  /** The part that provides the features at a stride, where it is not the last part with that stride. */
  readonly featuresAt?: Readonly<Record<number, string>>;
  /** Of this very network, with no option changed. */
  readonly published?: PublishedErrors;
  /** By key; under `''` for the network as a whole. */
  readonly printed?: Readonly<Record<string, Printed>>;
}

/** A convolution's window and filters, with its marks: `conv('3x3', 64, 'stride 2 V')`, `conv('1x1', 256, 'Linear')`. */
export const conv = (
  window: Window,
  filters: number,
  marks?: ConvMarks,
  options: ConvOptions = {},
): Conv => ({ kind: 'conv', window, filters, marks, ...options });

/** A depthwise convolution; followed by a 1x1 convolution it is Xception's separable convolution. */
export const depthwise = (
  window: Window,
  marks?: ConvMarks,
  options: Omit<ConvOptions, 'groups'> = {},
): Depthwise => ({ kind: 'depthwise', window, marks, ...options });

/** A separate ReLU. */
export const relu = (): Relu => ({ kind: 'relu' });

/** Max pooling. */
export const maxPool = (window: Window, marks?: Marks): Pool => ({ kind: 'maxPool', window, marks });

/** Average pooling. */
export const avgPool = (window: Window, marks?: Marks): Pool => ({ kind: 'avgPool', window, marks });

/** Parallel branches, concatenated by depth: the figures' "Filter concat". */
export const filterConcat = (...branches: Branch[]): FilterConcat => ({ kind: 'filterConcat', branches });

/** An Inception-ResNet block: the input plus the scaled projection of its concatenated branches, then ReLU. */
export const residual = (
  { scale, relu = true }: { scale: number; relu?: boolean },
  ...branches: Branch[]
): Residual => ({ kind: 'residual', scale, relu, branches });

/** Branches added up, with a ReLU after the sum: `sum([], [conv('3x3', 64), conv('3x3', 64, 'Linear')])`. */
export const sum = (...branches: Branch[]): Sum => ({ kind: 'sum', relu: true, branches });

/** The same without the ReLU. */
export const linearSum = (...branches: Branch[]): Sum => ({ kind: 'sum', relu: false, branches });

/** Layers in sequence, as one layer. */
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

/** Fully connected without bias, then batch normalisation without ReLU: a feature vector for the image. */
export const embedding = (features: number): Embedding => ({ kind: 'embedding', features });

/** Fully connected with a bias, then ReLU: a hidden layer between the features and the classifier. */
export const dense = (units: number): Dense => ({ kind: 'dense', units });

/** The classifier: a dense layer with one output per class. */
export const fullyConnected = (): FullyConnected => ({ kind: 'fullyConnected' });

/** A block of a repeat, by its index from 0. */
export const blockAt = ({ count, block, first, last }: Repeat, index: number): Layer =>
  index === count - 1 && last ? last : index === 0 && first ? first : block;

/** The layers directly inside a layer; of a repeat, each kind of block once. */
export function layersInside(layer: Layer): readonly Layer[] {
  switch (layer.kind) {
    case 'sequence':
      return layer.layers;
    case 'repeat':
      return [layer.block, layer.first, layer.last].filter((inner) => inner !== undefined);
    case 'filterConcat':
    case 'residual':
    case 'sum':
      return layer.branches.flat();
    // Listed one by one, so that the compiler asks about every new kind, which may contain layers.
    case 'conv':
    case 'depthwise':
    case 'relu':
    case 'maxPool':
    case 'avgPool':
    case 'globalAvgPool':
    case 'dropout':
    case 'fullyConnected':
    case 'embedding':
    case 'dense':
      return [];
  }
}

/** All of these layers, and those inside others. */
export function layersIn(layers: readonly Layer[]): Layer[] {
  return layers.flatMap((layer) => [layer, ...layersIn(layersInside(layer))]);
}

/** Height and width of a window; throws unless both are positive whole numbers. */
export function windowSize(window: Window): readonly [height: number, width: number] {
  const match = /^([1-9]\d*)x([1-9]\d*)$/.exec(window);
  if (!match) throw new TypeError(`a window is written as '3x3' or '1x7'; received '${window}'`);
  return [Number(match[1]), Number(match[2])];
}

export interface MarkMeaning {
  readonly stride: number;
  readonly padding: 'same' | 'valid';
  /** Whether a ReLU follows. */
  readonly relu: boolean;
}

/** Parses marks; throws if they are malformed. */
export function meaningOf(marks: ConvMarks | undefined): MarkMeaning {
  const match = /^(?:stride ([1-9]\d*))? ?(V)? ?(Linear)?$/.exec(marks ?? '');
  if (!match) {
    throw new TypeError(
      `marks are 'V', 'stride 2', 'stride 2 V', and for a convolution optionally 'Linear' at the end; received '${marks}'`,
    );
  }
  const [, stride, valid, linear] = match;
  return { stride: Number(stride ?? 1), padding: valid ? 'valid' : 'same', relu: !linear };
}
