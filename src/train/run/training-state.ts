/** What a checkpoint holds besides tensors, so that a resumed training also repeats its metrics and its decisions. */
import { z } from 'zod';

const count = z.number().int().nonnegative();
const amount = z.number().nonnegative();

const position = z
  .strictObject({
    /** Completed steps; also the update counter of the weight averages. */
    step: count,
    /** Epoch of the next batch, from 0. */
    epoch: count,
    /** Index of the next batch in its epoch. */
    position: count,
    /** Training time, without evaluations. */
    elapsedSeconds: amount,
  })
  .readonly();

const windowSums = z
  .strictObject({
    steps: count,
    loss: z.number(),
    /** Misclassified images. */
    wrong: count,
    gradientNorm: amount,
    zeroShare: amount,
    /** In milliseconds; the wait for data is part of it. */
    elapsed: amount,
    waited: amount,
  })
  .readonly();

/** The state of a training between two steps. */
export const trainingState = z
  .strictObject({
    position,
    /** Sums over the steps since the last line of `metrics.jsonl`. */
    window: windowSums,
    /** Consecutive steps until now in which all features were zero. */
    deadSteps: count,
  })
  .readonly();

/** The progress of a training. */
export type Position = z.infer<typeof position>;

export type WindowSums = z.infer<typeof windowSums>;

export type TrainingState = z.infer<typeof trainingState>;

export const emptyWindow: WindowSums = {
  steps: 0,
  loss: 0,
  wrong: 0,
  gradientNorm: 0,
  zeroShare: 0,
  elapsed: 0,
  waited: 0,
};

/** The state before the first step. */
export const initialState: TrainingState = {
  position: { step: 0, epoch: 0, position: 0, elapsedSeconds: 0 },
  window: emptyWindow,
  deadSteps: 0,
};
