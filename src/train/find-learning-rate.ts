/** The library call of the learning-rate finder. */
import type { TrainOptions } from './train-options.ts';
import type { LearningRateSweep, SweepHooks } from './trial/sweep.ts';

/**
 * Tries learning rates from 1e-7 to 10 in 100 steps of a training with these options, until the loss diverges, and suggests one,
 * as fastai's `lr_find` does; the same as `inception train --find-learning-rate`. Writes `learning-rate.json` and
 * `learning-rate.svg` into the folder `out`, which does not become a run by it: the same folder can then be trained in.
 * Nothing else is kept of the steps.
 *
 * @throws TrainingError if the loss never falls; the errors of `train`
 */
export async function findLearningRate(
  options: TrainOptions,
  hooks: SweepHooks = {},
): Promise<LearningRateSweep> {
  // The compiler and libtorch are loaded on first use.
  const { runSweep } = await import('./trial/learning-rate-sweep.ts');
  return runSweep(options, hooks);
}
