/** The moving statistics of batch normalisation, where a batch's weight in them is an input of the step. */
import type { Emitter } from '../emitter.ts';
import type { TrainingOptions } from '../options.ts';

interface MovingStatistics {
  /** What the operators of batch normalisation are told. */
  readonly momentum: number;
  /** Emits what follows the forward pass. */
  readonly finish: () => void;
}

/**
 * libtorch's batch normalisation takes its momentum as a constant of the program. Where it changes from step to step, the operators
 * replace the statistics by the batch's (momentum 1), and one operation over all statistics of the network mixes
 * those with the statistics from before the step.
 * @param any whether the trained part of the network has batch normalisations; the input is there in any case.
 */
export function followBatches(
  emitter: Emitter,
  { momentum, any }: { momentum: TrainingOptions['batchNormMomentum']; any: boolean },
): MovingStatistics {
  if (momentum !== 'input') return { momentum, finish: () => undefined };
  emitter.layer = 'moving statistics';
  const weight = emitter.input('batchNormMomentum', 'float32', []);
  if (!any) return { momentum: 1, finish: () => undefined };
  const statistics = emitter.load('flat/statistics');
  const mixed = emitter.call('aten::clone', [statistics]);
  return {
    momentum: 1,
    finish: () => {
      emitter.layer = 'moving statistics';
      emitter.call('aten::lerp_.Tensor', [mixed, statistics, weight]);
      emitter.call('aten::copy_', [statistics, mixed]);
    },
  };
}
