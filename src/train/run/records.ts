/** Types of the lines of metrics.jsonl and of evaluation.json. Pure; also for browsers. */
import type { ClassScores, ConfusedPair } from '../../evaluate/class-scores.ts';

/** Metrics of a range of training steps: a line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly kind: 'train';
  /** Completed steps. */
  readonly step: number;
  /** Completed epochs, as a fraction. */
  readonly epoch: number;
  /** Mean over the steps since the previous line. */
  readonly loss: number;
  /** Top-1 error on augmented training images, 0–1. */
  readonly trainError: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  /** Fraction of zeros among the features before dropout; 1 means a dead network. */
  readonly zeroShare: number;
  /** A warning of these steps, as it was given. */
  readonly remark?: string;
  readonly imagesPerSecond: number;
  /** Fraction of the time spent waiting for data: for the next batch, or for a thread that is busy with images. */
  readonly waitShare: number;
  readonly residentBytes: number;
  /** Training time, without evaluations; accumulated over resumed runs. */
  readonly elapsedSeconds: number;
}

/** What is measured on the images of one split, after a step. */
interface Measured {
  readonly step: number;
  readonly epoch: number;
  /** 0–1 */
  readonly top1Error: number;
  readonly top5Error: number;
  /** Mean recall of the classes, 0–1; runs of earlier versions do not have it. */
  readonly balancedAccuracy?: number;
  readonly elapsedSeconds: number;
  /** Images that could not be used and do not count, if there are any. */
  readonly skipped?: number;
}

/** A residual block at an evaluation, on a few validation images. */
export interface BlockState {
  /** `inceptionResnetA/0` */
  readonly block: string;
  /** Euclidean norm of the residual, scaled as it is added, over that of what it is added to; null where that is 0. */
  readonly residualRatio: number | null;
  /** Fraction of zeros in what leaves the block. */
  readonly zeroShare: number;
}

/** An evaluation on the validation images: a line of `metrics.jsonl`. */
export interface EvaluationMetrics extends Measured {
  readonly kind: 'evaluation';
  /** Cross-entropy without smoothing. Called `testLoss` in runs of earlier versions. */
  readonly validationLoss: number;
  /** Why this evaluation is worse than guessing while the training goes well, where that is so. */
  readonly remark?: string;
  /** Of networks with residual blocks, in order of depth; runs of earlier versions do not have it. */
  readonly blocks?: readonly BlockState[];
  /** Where the best evaluation's averages are the model (`keepBest`): these are, until a later line that is chosen. */
  readonly chosen?: true;
}

/** The score of the model on the test images, at the end of a training: a line of `metrics.jsonl`. */
export interface TestMetrics extends Measured {
  readonly kind: 'test';
  /** Cross-entropy without smoothing. */
  readonly testLoss: number;
}

/** A line of `metrics.jsonl`. */
export type Metrics = StepMetrics | EvaluationMetrics | TestMetrics;

export const metricsKinds: readonly unknown[] = ['train', 'evaluation', 'test'] satisfies Metrics['kind'][];

/** A line as it is written now: runs of earlier versions had no validation images, and called their loss that of the test. */
export function upgradeMetrics(line: object): object {
  if (!('kind' in line && line.kind === 'evaluation' && 'testLoss' in line)) return line;
  const { testLoss, ...rest } = line;
  return { validationLoss: testLoss, ...rest };
}

/** A misclassified image. */
export interface Mistake {
  /** Index among the images of the evaluation. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** Probability of the predicted class, 0–1. */
  readonly probability: number;
  /** A small PNG file in base64. */
  readonly image: string;
}

/** `labels.json` of a run: the labels of its data that are probably wrong, by `inception data check`. */
export interface LabelsRecord {
  readonly format: 1;
  readonly classes: readonly string[];
  /** Images of which the network, or classifiers that have not seen them, are sure that they are something else. */
  readonly found: number;
  /** Whether each image was judged by a classifier that had not seen it; records of earlier versions were not. */
  readonly crossValidated?: boolean;
  /** The surest first, not all of them. */
  readonly images: readonly (Mistake & {
    /** Relative to the data's folder. */
    readonly file: string;
    /** Null if it is not known. */
    readonly trainedOn: boolean | null;
  })[];
}

/** The scores of each class follow from the confusion; runs of earlier versions do not have them. */
export interface EvaluationRecord extends Partial<ClassScores> {
  readonly format: 1;
  readonly step: number;
  readonly epoch: number;
  /** Which images: those of the test only where there are no others. Runs of earlier versions do not have it. */
  readonly split?: 'validation' | 'test';
  readonly classes: readonly string[];
  /** Non-zero entries of the confusion matrix; a thousand classes have a million pairs, nearly all empty. */
  readonly confusion: readonly ConfusedPair[];
  /** Most confident first. */
  readonly mistakes: readonly Mistake[];
}
