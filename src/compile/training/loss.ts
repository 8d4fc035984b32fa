/** Cross-entropy with label smoothing, forward and backward. */
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';

export interface CrossEntropy {
  /** Mean over the batch, float32 []. */
  readonly loss: Value;
  /** weight · d loss / d logits, [n, classes]. */
  readonly gradient: Value;
}

/** Label smoothing spreads `labelSmoothing` evenly over all classes; the true class gets the rest (arXiv 1512.00567). */
export function crossEntropy(
  emitter: Emitter,
  { logits, labels }: { logits: Value; labels: Value },
  {
    batch,
    classes,
    labelSmoothing,
    weight,
  }: { batch: number; classes: number; labelSmoothing: number; weight: number },
): CrossEntropy {
  const logProbabilities = emitter.call('aten::_log_softmax', [logits, 1, false]);
  const oneHot = emitter.call('aten::one_hot', [labels, classes]);
  const target = emitter.call('aten::_to_copy', [oneHot], { dtype: { dtype: 'float32' } });
  const smoothed =
    labelSmoothing === 0
      ? target
      : emitter.call('aten::add_.Scalar', [
          emitter.call('aten::mul_.Scalar', [target, 1 - labelSmoothing]),
          labelSmoothing / classes,
        ]);
  const products = emitter.call('aten::mul.Tensor', [logProbabilities, smoothed]);
  const loss = emitter.call('aten::mul.Scalar', [emitter.call('aten::sum', [products]), -1 / batch]);
  const probabilities = emitter.call('aten::exp', [logProbabilities]);
  const difference = emitter.call('aten::sub_.Tensor', [probabilities, smoothed]);
  return { loss, gradient: emitter.call('aten::mul_.Scalar', [difference, weight / batch]) };
}
