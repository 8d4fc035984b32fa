/** What a compilation is asked for and what it gives. */
import type { Choices } from '../passes/pass.ts';
import type { inferenceGraphPasses, inferenceProgramPasses } from './inference-passes.ts';
import type { Optimizer, RmsProp } from './optimizers/optimizers.ts';
import type { Program, StoreSpec } from './program.ts';
import type { trainingGraphPasses, trainingProgramPasses } from './training-passes.ts';

/** Weights, optimiser, statistics and loss are float32 in both; bfloat16 is for activations and convolutions. */
export type Precision = 'float32' | 'bfloat16';

/** Images as [n, h, w, c]: uint8 is scaled in the program (see {@link Scaling}), float32 must be scaled already. */
export type ImageType = 'uint8' | 'float32';

/** Pixels become (x / 255 − mean) / std, for each channel. */
export interface Scaling {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** x / 127.5 − 1: what all networks of the paper were trained with. */
export const inceptionScaling: Scaling = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** How a graph is compiled for training. */
export interface TrainingOptions {
  readonly batch: number;
  readonly precision: Precision;
  readonly images?: ImageType;
  /** Default {@link inceptionScaling}. */
  readonly scaling?: Scaling;
  /** RMSProp's numbers alone mean RMSProp. */
  readonly optimizer: Optimizer | RmsProp;
  /** Of convolution and dense weights, not of biases and batch normalisation; how it is applied is the optimiser's. */
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  /** Weight of the auxiliary classifier's loss, if the network has one. */
  readonly auxiliaryLossWeight: number;
  /** Share that one step's batch statistics take in the moving ones (0.0003 is TensorFlow's decay 0.9997). */
  readonly batchNormMomentum: number;
  /** The gradient's norm is scaled down to at most this; undefined is off. */
  readonly clipNorm: number | undefined;
  /** Statistics of the batch, or the moving ones, as a frozen network has them. Default 'batch'. */
  readonly batchNorm?: 'batch' | 'moving';
  /** Default true; false also for a network whose figure has dropout. */
  readonly dropout?: boolean;
  /**
   * Whether the step changes weights, averages and optimiser, or only leaves `gradient/NAME`. Default true. A step that
   * does keeps gradients of weights only where it must, for clipping.
   */
  readonly update?: boolean;
  /** Whether running averages are kept beside the weights; without them `averages/NAME` are the weights. Default true. */
  readonly averages?: boolean;
  /**
   * Instead of the cross-entropy: sum(endpoint · `projection`), whose input `projection` is float32 [n, c, h, w]. The
   * program then has no `labels` and no `wrong`.
   */
  readonly projectEndpoint?: string;
  /** Endpoints to return as float32 [n, c, h, w], each under its own name; also `logits` [n, classes]. */
  readonly endpoints?: readonly string[];
  readonly passes?: Passes;
  /**
   * 'native' uses the operators of native/operators/, which exist for the CPU; 'aten' only libtorch's own. Default
   * 'native'.
   */
  readonly kernels?: Kernels;
}

export type Kernels = 'native' | 'aten';

/** Passes that can be switched off, or on where they are off, to see what each changes. */
export type Passes = Choices<
  (
    | typeof trainingGraphPasses
    | typeof trainingProgramPasses
    | typeof inferenceGraphPasses
    | typeof inferenceProgramPasses
  )[number]['name']
>;

/**
 * Training's inputs: `images`, `labels` int64 [n], `learningRate` and `averageDecay` float32 [], and the
 * optimiser's own scalars (`scalarInputs`).
 * Outputs: `loss` float32 [] (without the auxiliary and the weight decay's part), `wrong` int64 [] (images whose
 * highest logit is another class), `gradientNorm` float32 [] (before clipping), `zeroShare` float32 [] (share of zeros
 * among the features before dropout: 1 is a dead network).
 */
export interface CompiledTraining {
  /** Parameters under their names, running averages as `averages/NAME`, and what the optimiser keeps, as `momentum/NAME`. */
  readonly store: StoreSpec;
  readonly step: Program;
}

/** How a graph is compiled for predictions. */
export interface InferenceOptions {
  readonly batch: number;
  readonly precision: Precision;
  readonly images?: ImageType;
  /** Default {@link inceptionScaling}. */
  readonly scaling?: Scaling;
  /** Which copy of the parameters to read. Averages exist only in a training's store. Default 'weights'. */
  readonly parameters?: 'weights' | 'averages';
  /** Endpoints to return as float32 [n, c, h, w], each under its own name. */
  readonly endpoints?: readonly string[];
  readonly passes?: Passes;
  /** As for training. Default 'native'. */
  readonly kernels?: Kernels;
}

/**
 * Inference's input: `images`. Outputs: `features`, float32 [n, features], what the classifier reads (after an
 * embedding, that); and, of a network with classes, `logits` and `probabilities`, float32 [n, classes].
 */
export interface CompiledInference {
  /**
   * Parameters under their names and, once `prepare` has run, what it computes from them; share it with a training by
   * {@link mergeStores}.
   */
  readonly store: StoreSpec;
  /**
   * Folds batch normalisation and residual scales and packs the convolutions' weights; run it before the first prediction and
   * whenever the parameters have changed.
   */
  readonly prepare: Program;
  readonly predict: Program;
}
