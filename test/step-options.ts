/** What the tests of compiled training steps have in common: the paper's numbers. */
import { usualOptimizers } from '../src/compile/optimizers/optimizers.ts';
import type { TrainingOptions } from '../src/compile/options.ts';

export const stepOptions: TrainingOptions = {
  batch: 4,
  precision: 'bfloat16',
  optimizer: usualOptimizers.rmsprop,
  weightDecay: 4e-5,
  labelSmoothing: 0.1,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 'input',
  clipNorm: undefined,
};
