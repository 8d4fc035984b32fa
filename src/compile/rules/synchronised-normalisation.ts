/**
 * Batch normalisation over the batches of all processes together, with libtorch's operators: each process's moments are gathered, and so
 * are, backward, its sums. All processes have batches of one size, so that means of means are the mean.
 */
import type { Value } from '../program.ts';
import { inputSizes, type Lowering, parameterOf, type Rule, toPrecision } from './rule.ts';

/** All axes but the channels. */
const moments = [0, 2, 3];

export const synchronisedBatchNorm: Rule<'batchNorm'> = (node, [input], lowering) => {
  const { emitter, batchNormMomentum, normalisedTogether, precision } = lowering;
  const { epsilon } = node.attributes;
  const { gamma } = lowering.graph.network;
  const call = emitter.call.bind(emitter);
  const [movingMean, movingVariance, beta] = (['movingMean', 'movingVariance', 'beta'] as const).map((part) =>
    parameterOf(node, part, lowering),
  ) as [Value, Value, Value];
  const factor = gamma ? parameterOf(node, 'gamma', lowering) : call('aten::ones_like', [beta]);
  const [images, size, height, width] = inputSizes(node, lowering) as [number, number, number, number];
  const count = normalisedTogether * images * height * width;

  const exact =
    precision === 'float32' ? input : call('aten::_to_copy', [input], { dtype: { dtype: 'float32' } });
  const [ownVariance, ownMean] = emitter.calls('aten::var_mean.correction', [exact, moments], 2, {
    correction: 0,
  });
  const [means, variances] = gathered([ownMean, ownVariance], lowering);
  const [between, mean] = emitter.calls('aten::var_mean.correction', [means, [0]], 2, { correction: 0 });
  const variance = call('aten::add.Tensor', [call('aten::mean.dim', [variances, [0]]), between]);
  call('aten::lerp_.Scalar', [movingMean, mean, batchNormMomentum]);
  const unbiased = call('aten::mul.Scalar', [variance, count / (count - 1)]);
  call('aten::lerp_.Scalar', [movingVariance, unbiased, batchNormMomentum]);

  // As in evaluation, by statistics that are given.
  const evaluated = [mean, variance] as const;
  const [value] = emitter.calls(
    'aten::native_batch_norm',
    [input, factor, beta, ...evaluated, false, 0, epsilon],
    3,
  );
  return {
    value,
    gradients: (gradient) => {
      const [throughInput, gammaGradient, betaGradient] = emitter.calls(
        'aten::native_batch_norm_backward',
        [gradient, input, factor, ...evaluated, null, null, false, epsilon, [true, true, true]],
        3,
      );
      // The result also depends on the input through mean and variance: gradient − mean(gradient) − x̂ · mean(gradient · x̂).
      const [products, sums] = gathered([gammaGradient, betaGradient], lowering).map((each) =>
        call('aten::mul.Scalar', [call('aten::sum.dim_IntList', [each, [0]]), 1 / count]),
      ) as [Value, Value];
      const inverse = call('aten::rsqrt', [call('aten::add.Scalar', [variance, epsilon])]);
      const scale = call('aten::mul.Tensor', [factor, inverse]);
      const slope = call('aten::mul.Tensor', [call('aten::mul.Tensor', [scale, inverse]), products]);
      const offset = call('aten::sub.Tensor', [
        call('aten::mul.Tensor', [scale, sums]),
        call('aten::mul.Tensor', [slope, mean]),
      ]);
      const [perChannel, shift] = [slope, offset].map((each) =>
        call('aten::view', [each, [1, size, 1, 1]]),
      ) as [Value, Value];
      const line = call('aten::add_.Tensor', [call('aten::mul.Tensor', [input, perChannel]), shift]);
      const difference = call('aten::sub.Tensor', [throughInput, line]);
      return {
        inputs: [toPrecision(emitter, difference, precision)],
        parameters: { ...(gamma && { gamma: gammaGradient }), beta: betaGradient },
      };
    },
  };
};

/** Two values of each channel, of every process: [processes, channels] each. */
function gathered(pair: readonly [Value, Value], { emitter }: Lowering): readonly [Value, Value] {
  const all = emitter.call('inception::gather_all', [emitter.call('aten::stack', [pair])]);
  const select = (index: number) => emitter.call('aten::select.int', [all, 1, index]);
  return [select(0), select(1)];
}
