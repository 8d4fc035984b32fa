/** The options and results of compilation. */
import type { Int8Ranges } from '../int8/quantisation.ts';
import type { Choices } from '../passes/pass.ts';
import type { inferenceGraphPasses, inferenceProgramPasses } from './inference/inference-passes.ts';
import type { Optimizer, RmsProp } from './optimizers/optimizers.ts';
import type { Program, StoreSpec } from './program.ts';
import type { trainingGraphPasses, trainingProgramPasses } from './training/training-passes.ts';

/** The type of activations and convolutions; weights, optimiser state, statistics and loss are always float32. */
export type Precision = 'float32' | 'bfloat16';

/**
 * The precision of predictions. 'int8': convolutions, pooling and sums of bytes, by the ranges of an int8 model; the first convolution, the
 * classifier and what has no range are float32.
 */
export type InferencePrecision = Precision | 'int8';

/** Images as [n, h, w, c]: uint8 is scaled in the program (see {@link Scaling}), float32 must be scaled already. */
export type ImageType = 'uint8' | 'float32';

/** Pixels become (x / 255 − mean) / std, per channel. */
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
  /** For convolution and dense weights, not for biases or batch normalisation; the optimiser decides how it is applied. */
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  /** Whether the loss weighs classes, by the input `classWeights`, float32 [classes]. Default false. */
  readonly classWeights?: boolean;
  /**
   * Whether an image may be two images mixed: the inputs `otherLabels`, int64 [n], and `labelShare`, float32 [n, 1], are the label of
   * the other image and the part of `labels`. Default false.
   */
  readonly mixedLabels?: boolean;
  /** Weight of the auxiliary classifier's loss, if the network has one. */
  readonly auxiliaryLossWeight: number;
  /**
   * Weight of a batch's statistics in the moving ones (0.0003 is TensorFlow's decay 0.9997): the same in every step, or the step's
   * input `batchNormMomentum`, which a training follows its length with.
   */
  readonly batchNormMomentum: number | 'input';
  /** Maximum gradient norm; larger gradients are scaled down. Undefined: no clipping. */
  readonly clipNorm: number | undefined;
  /** Factor of the learning rate from each part of the network to the one before it (`layerRates`). Undefined: one rate. */
  readonly layerDecay?: number | undefined;
  /** Factor of the learning rate of the last convolution of each residual block. Default 1. */
  readonly residualRate?: number | undefined;
  /** Normalise by the batch's statistics, or by the moving ones as a frozen network does. Default 'batch'. */
  readonly batchNorm?: 'batch' | 'moving';
  /** Default true; false switches off the dropout of the network's figure. */
  readonly dropout?: boolean;
  /**
   * Whether the step updates weights, averages and optimiser state, or only computes `gradient/NAME`. Default true. A
   * step that updates keeps the weights' gradients only where clipping needs them.
   */
  readonly update?: boolean;
  /** Whether to keep running averages of the weights; without them `averages/NAME` are the weights. Default true. */
  readonly averages?: boolean;
  /**
   * Instead of the cross-entropy: sum(endpoint · `projection`), whose input `projection` is float32 [n, c, h, w]. The
   * program then has no `labels` and no `wrong`.
   */
  readonly projectEndpoint?: string;
  /** Endpoints to return as float32 [n, c, h, w], each under its own name; also `logits` [n, classes]. */
  readonly endpoints?: readonly string[];
  /** Several replicas, each with a batch of its own, whose gradients are averaged before the update. Default: one. */
  readonly replicas?: {
    readonly count: number;
    /** They share the replicas; each runs its own one after another. */
    readonly processes: number;
    /** The type in which gradients travel between processes; they are added in float32. */
    readonly reduce: 'float32' | 'bfloat16';
    /** Normalise by the statistics of each replica's batch, or of all replicas' batches together. */
    readonly batchNorm: 'own' | 'synchronised';
    /**
     * What the moving statistics follow: the mean over all replicas, which is exactly the mean of what each would have by itself;
     * or ('broadcast', 'none') that over the replicas of this process, which sends none of them.
     */
    readonly average: 'reduce' | 'broadcast' | 'none';
  };
  readonly passes?: Passes;
  /**
   * 'native' uses the CPU operators of native/operators/; 'aten' uses only libtorch's. Default 'native'.
   */
  readonly kernels?: Kernels;
}

export type Kernels = 'native' | 'aten';

/** Switches single passes on or off, to see what each one changes. */
export type Passes = Choices<
  (
    | typeof trainingGraphPasses
    | typeof trainingProgramPasses
    | typeof inferenceGraphPasses
    | typeof inferenceProgramPasses
  )[number]['name']
>;

/**
 * Training's inputs: `images`, `labels` int64 [n], `learningRate` and `averageDecay` float32 [], `batchNormMomentum`
 * float32 [] if it is an input, and the optimiser's own scalars (`scalarInputs`).
 * Outputs: `loss` float32 [] (without auxiliary loss and weight decay), `wrong` int64 [] (misclassified images),
 * `gradientNorm` float32 [] (before clipping), `zeroShare` float32 [] (fraction of zeros among the features before
 * dropout: 1 is a dead network).
 *
 * With several replicas there are two more inputs, `stop` and `save`, float32 [], by which each replica can ask for something, and
 * outputs of the same names. All outputs are then means over all replicas, equal in all processes: `wrong` is float32 [], the mean number
 * of misclassified images in one replica's batch, and `stop` is above 0 if any replica asked for it.
 */
export interface CompiledTraining {
  /** Parameters under their names, running averages as `averages/NAME`, and optimiser state such as `momentum/NAME`. */
  readonly store: StoreSpec;
  readonly step: Program;
  /**
   * A round of replicas that is not the last of its step: adds up gradients, statistics and reports. It takes the step's inputs that
   * belong to images, and `stop` and `save`, and returns only `endpoints`. Undefined where a process has one replica.
   */
  readonly accumulate: Program | undefined;
  /**
   * The last round of a process that has no replica left for it: `step` without images, `stop` and `save`. Undefined where
   * the number of processes divides that of replicas.
   */
  readonly idle: Program | undefined;
  /** Folds and packs the weights of frozen parts: run it once, before the first step. Undefined if nothing is frozen. */
  readonly prepare: Program | undefined;
}

/** How a graph is compiled for predictions. */
export interface InferenceOptions {
  readonly batch: number;
  readonly precision: InferencePrecision;
  /** [low, high] of each value that is stored in 8 bits; for 'int8', and required there. */
  readonly ranges?: Int8Ranges['ranges'] | undefined;
  readonly images?: ImageType;
  /** Default {@link inceptionScaling}. */
  readonly scaling?: Scaling;
  /** Which copy of the parameters to read. Averages exist only in a training store. Default 'weights'. */
  readonly parameters?: 'weights' | 'averages';
  /** Endpoints to return as float32 [n, c, h, w], each under its own name. */
  readonly endpoints?: readonly string[];
  /** Endpoints of which numbers are returned, float32 []: the Euclidean norm as `norm NAME`, the share of zeros as `zeros NAME`. */
  readonly summaries?: { readonly norms: readonly string[]; readonly zeros: readonly string[] };
  readonly passes?: Passes;
  /** As for training. Default 'native'. */
  readonly kernels?: Kernels;
}

/**
 * Inference's input: `images`. Outputs: `features`, float32 [n, features], what the classifier reads, its hidden layers included (the
 * embedding where the network has one); and, for a network with classes, `logits` and `probabilities`, float32 [n, classes].
 */
export interface CompiledInference {
  /**
   * Parameters under their names and, once `prepare` has run, what it computes from them. {@link mergeStores} shares it
   * with training.
   */
  readonly store: StoreSpec;
  /**
   * Folds batch normalisation and residual scales and packs the convolutions' weights; run it before the first prediction and
   * after the parameters change.
   */
  readonly prepare: Program;
  readonly predict: Program;
}
