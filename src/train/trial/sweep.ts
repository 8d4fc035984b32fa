/** What a sweep of learning rates says and leaves behind. Pure. */
import type { Notices } from '../../model/model-file.ts';

/** What a sweep of learning rates says while it opens its weights, and while it runs. */
export interface SweepHooks extends Notices {
  /** After each step of at most so many. */
  readonly onStep?: (progress: {
    readonly step: number;
    readonly steps: number;
    readonly loss: number;
  }) => void;
}

/** A sweep of learning rates: `learning-rate.json` of its folder. */
export interface LearningRateSweep {
  readonly format: 1;
  readonly network: string;
  readonly data: string;
  readonly batch: number;
  /** The rate to begin with, by fastai's rule "valley". */
  readonly suggestion: number;
  /** The recipe's own, for comparison. */
  readonly recipeLearningRate: number;
  /** Whether the sweep ended because the loss diverged. */
  readonly diverged: boolean;
  readonly learningRates: readonly number[];
  /** Of the batch at each rate. */
  readonly losses: readonly number[];
  /** Their moving average, by which the suggestion is found. */
  readonly smoothedLosses: readonly number[];
}

/** The files of a sweep, which do not make a folder a run. */
export const sweepFiles = { sweep: 'learning-rate.json', chart: 'learning-rate.svg' } as const;
