/** What a run writes, as types: the lines of metrics.jsonl and evaluation.json. Pure; also for browsers. */

/** A stretch of training steps, a line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly kind: 'train';
  /** Steps done. */
  readonly step: number;
  /** Epochs done; broken in the middle of one. */
  readonly epoch: number;
  /** Mean over the steps since the line before. */
  readonly loss: number;
  /** Share of augmented training images whose highest logit is another class, 0–1. */
  readonly trainError: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  /** Share of zeros among the features before dropout; 1 is a dead network. */
  readonly zeroShare: number;
  readonly imagesPerSecond: number;
  /** Share of the time in which the engine had no batch. */
  readonly waitShare: number;
  readonly residentBytes: number;
  /** Of training, without evaluations; a resumed run goes on counting. */
  readonly elapsedSeconds: number;
}

/** An evaluation on the test split, a line of `metrics.jsonl`. */
export interface EvaluationMetrics {
  readonly kind: 'evaluation';
  readonly step: number;
  readonly epoch: number;
  /** Cross-entropy without smoothing. */
  readonly testLoss: number;
  /** 0–1 */
  readonly top1Error: number;
  readonly top5Error: number;
  readonly elapsedSeconds: number;
}

/** A line of `metrics.jsonl`. */
export type Metrics = StepMetrics | EvaluationMetrics;

/** An image that was taken for something else. */
export interface Mistake {
  /** Of the image in the test data. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** Of the class that it was taken for, 0–1. */
  readonly probability: number;
  /** A small PNG file in base64. */
  readonly image: string;
}

export interface EvaluationRecord {
  readonly format: 1;
  readonly step: number;
  readonly epoch: number;
  readonly classes: readonly string[];
  /** [label, prediction, images], where there are any: a thousand classes have a million pairs, most of them empty. */
  readonly confusion: readonly (readonly [label: number, predicted: number, images: number])[];
  /** The surest first. */
  readonly mistakes: readonly Mistake[];
}
