/** Every operation with libtorch's operators, on every device: its type requires all of them. */
import { conv, linear } from './aten-convolution.ts';
import { batchNorm, dropout, relu } from './aten-normalisation.ts';
import { avgPool, globalAvgPool, maxPool, pad } from './aten-pooling.ts';
import { concat, input, scaledAdd, slice } from './aten-structure.ts';
import type { Rules } from './rule.ts';

export const aten: Rules = {
  input,
  conv,
  batchNorm,
  relu,
  pad,
  maxPool,
  avgPool,
  globalAvgPool,
  concat,
  slice,
  scaledAdd,
  dropout,
  linear,
};
