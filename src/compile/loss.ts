/** Cross-entropy with label smoothing, forward and backward. */
import { type Emitter, slot } from './emitter.ts';
import type { Slot } from './program.ts';

export interface CrossEntropy {
  /** Mean over the batch, float32 []. */
  readonly loss: Slot;
  /** weight · d loss / d logits, [n, classes]. */
  readonly gradient: Slot;
}

/** Smoothing gives every class the same share of `labelSmoothing`, the true one the rest besides (arXiv 1512.00567). */
export function crossEntropy(
  emitter: Emitter,
  { logits, labels }: { logits: Slot; labels: Slot },
  {
    batch,
    classes,
    labelSmoothing,
    weight,
  }: { batch: number; classes: number; labelSmoothing: number; weight: number },
): CrossEntropy {
  const logProbabilities = emitter.call('aten::_log_softmax', [slot(logits), 1, false]);
  const hot = emitter.call('aten::one_hot', [slot(labels), classes]);
  const target = emitter.call('aten::_to_copy', [slot(hot)], { dtype: { dtype: 'float32' } });
  const smoothed =
    labelSmoothing === 0
      ? target
      : emitter.call('aten::add_.Scalar', [
          slot(emitter.call('aten::mul_.Scalar', [slot(target), 1 - labelSmoothing])),
          labelSmoothing / classes,
        ]);
  const products = emitter.call('aten::mul.Tensor', [slot(logProbabilities), slot(smoothed)]);
  const loss = emitter.call('aten::mul.Scalar', [
    slot(emitter.call('aten::sum', [slot(products)])),
    -1 / batch,
  ]);
  const probabilities = emitter.call('aten::exp', [slot(logProbabilities)]);
  const difference = emitter.call('aten::sub_.Tensor', [slot(probabilities), slot(smoothed)]);
  return { loss, gradient: emitter.call('aten::mul_.Scalar', [slot(difference), weight / batch]) };
}
