/** The moving statistics of batch normalisation, where a batch's weight in them is an input of the step, or of many replicas. */
import type { Emitter } from '../emitter.ts';
import type { TrainingOptions } from '../options.ts';
import type { Value } from '../program.ts';

/**
 * Where a batch's statistics go: straight into the moving ones; into a bucket, which averages them over all processes; or
 * into the sums of one process.
 */
export type StatisticsTarget = 'moving' | 'bucket' | 'local';

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
 *
 * Of many replicas the operators write the batch's statistics somewhere else, and the moving ones follow their mean.
 * @param any whether the trained part of the network has batch normalisations; the input is there in any case.
 */
export function followBatches(
  emitter: Emitter,
  {
    momentum,
    any,
    into,
  }: { momentum: TrainingOptions['batchNormMomentum']; any: boolean; into: StatisticsTarget },
): MovingStatistics {
  if (into !== 'moving')
    return { momentum: 1, finish: () => (into === 'local' ? addUp(emitter) : undefined) };
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

function addUp(emitter: Emitter): void {
  emitter.layer = 'moving statistics';
  const batch = emitter.load('flat/batchStatistics');
  emitter.call('aten::add_.Tensor', [emitter.load('flat/statisticsSums'), batch]);
}

/**
 * Moves the statistics towards the mean of several batches' statistics. That is exactly the mean of what each batch alone would have
 * moved them to, because both are linear.
 */
export function followMean(
  emitter: Emitter,
  { mean, momentum }: { mean: Value; momentum: TrainingOptions['batchNormMomentum'] },
): void {
  emitter.layer = 'moving statistics';
  const statistics = emitter.load('flat/statistics');
  if (momentum !== 'input') emitter.call('aten::lerp_.Scalar', [statistics, mean, momentum]);
  else
    emitter.call('aten::lerp_.Tensor', [statistics, mean, emitter.input('batchNormMomentum', 'float32', [])]);
}
