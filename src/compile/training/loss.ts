/** Cross-entropy with label smoothing, class weights and mixed labels, forward and backward. */
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';

export interface CrossEntropy {
  /** Mean over the batch, weighted where there are class weights; float32 []. */
  readonly loss: Value;
  /** weight · d loss / d logits, [n, classes]. */
  readonly gradient: Value;
}

/** What the images of a batch are. */
export interface Labels {
  /** int64 [n] */
  readonly labels: Value;
  /** Of mixed images, the label of the other image, int64 [n], and the part of the first, float32 [n, 1]. */
  readonly mixed: { readonly otherLabels: Value; readonly labelShare: Value } | undefined;
  /** float32 [classes] */
  readonly classWeights: Value | undefined;
}

interface CrossEntropyOptions {
  readonly batch: number;
  readonly classes: number;
  readonly labelSmoothing: number;
  readonly weight: number;
}

/**
 * Label smoothing spreads `labelSmoothing` evenly over all classes; the true class gets the rest (arXiv 1512.00567). Class weights are
 * those of PyTorch's CrossEntropyLoss: each class's term, smoothed ones too, is multiplied by the weight of that class, and
 * the sum is divided by that of the labels' weights.
 */
export function crossEntropy(
  emitter: Emitter,
  { logits, labels }: { logits: Value; labels: Labels },
  { batch, classes, labelSmoothing, weight }: CrossEntropyOptions,
): CrossEntropy {
  const logProbabilities = emitter.call('aten::_log_softmax', [logits, 1, false]);
  const target = targetOf(emitter, labels, classes);
  const { classWeights } = labels;
  // Before the smoothing, which changes the target in place.
  const total =
    classWeights && emitter.call('aten::sum', [emitter.call('aten::mul.Tensor', [target, classWeights])]);
  const smoothed =
    labelSmoothing === 0
      ? target
      : emitter.call('aten::add_.Scalar', [
          emitter.call('aten::mul_.Scalar', [target, 1 - labelSmoothing]),
          labelSmoothing / classes,
        ]);
  if (classWeights && total) {
    const weighted = emitter.call('aten::mul_.Tensor', [smoothed, classWeights]);
    const products = emitter.call('aten::mul.Tensor', [logProbabilities, weighted]);
    const negated = emitter.call('aten::mul.Scalar', [emitter.call('aten::sum', [products]), -1]);
    const loss = emitter.call('aten::div.Tensor', [negated, total]);
    // A row of the target sums to its weights instead of 1.
    const rows = emitter.call('aten::sum.dim_IntList', [weighted, [1], true]);
    const probabilities = emitter.call('aten::mul.Tensor', [
      emitter.call('aten::exp', [logProbabilities]),
      rows,
    ]);
    const difference = emitter.call('aten::sub_.Tensor', [probabilities, weighted]);
    const mean = emitter.call('aten::div_.Tensor', [difference, total]);
    return { loss, gradient: emitter.call('aten::mul_.Scalar', [mean, weight]) };
  }
  const products = emitter.call('aten::mul.Tensor', [logProbabilities, smoothed]);
  const loss = emitter.call('aten::mul.Scalar', [emitter.call('aten::sum', [products]), -1 / batch]);
  const probabilities = emitter.call('aten::exp', [logProbabilities]);
  const difference = emitter.call('aten::sub_.Tensor', [probabilities, smoothed]);
  return { loss, gradient: emitter.call('aten::mul_.Scalar', [difference, weight / batch]) };
}

/** The probability of each class, float32 [n, classes]. */
function targetOf(emitter: Emitter, { labels, mixed }: Labels, classes: number): Value {
  const oneHot = (of: Value) =>
    emitter.call('aten::_to_copy', [emitter.call('aten::one_hot', [of, classes])], {
      dtype: { dtype: 'float32' },
    });
  const own = oneHot(labels);
  return mixed ? emitter.call('aten::lerp.Tensor', [oneHot(mixed.otherLabels), own, mixed.labelShare]) : own;
}
