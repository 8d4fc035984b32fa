/** Native CPU kernels (native/operators/) over libtorch's; what they do not support falls through. */
import { inputSizes, type Overlay, parameterOf } from './rule.ts';

export const native: Overlay = {
  conv: (node, [input], lowering) => {
    const { emitter } = lowering;
    const { stride, padding, groups, bias, relu } = node.attributes;
    if (groups > 1 || relu || node.inputs.length > 1) return undefined;
    const geometry = [[stride, stride], padding] as const;
    const weight = parameterOf(node, 'weight', lowering);
    const biasValue = bias ? parameterOf(node, 'bias', lowering) : null;
    return {
      value: emitter.call('inception::convolution', [input, weight, biasValue, ...geometry]),
      gradients: (gradient, needsInput) => {
        const [inputGradient, weightGradient, biasGradient] = emitter.calls(
          'inception::convolution_backward',
          [gradient, input, weight, ...geometry, needsInput, bias],
          3,
        );
        const parameters = { weight: weightGradient, ...(bias && { bias: biasGradient }) };
        return { inputs: [needsInput ? inputGradient : null], parameters };
      },
    };
  },
  batchNorm: (node, [input], lowering) => {
    const { emitter, batchStatistics, batchNormMomentum, normalisedTogether } = lowering;
    const { epsilon, relu } = node.attributes;
    const together = normalisedTogether > 1 ? [true] : [];
    if (!relu || !batchStatistics) return undefined;
    const { gamma } = lowering.graph.network;
    const affine = [
      gamma ? parameterOf(node, 'gamma', lowering) : null,
      parameterOf(node, 'beta', lowering),
    ] as const;
    const moving = (['movingMean', 'movingVariance'] as const).map((part) =>
      parameterOf(node, part, lowering),
    );
    const [value, mean, inverseDeviation] = emitter.calls(
      'inception::batch_norm_relu',
      [input, ...affine, ...moving, batchNormMomentum, epsilon, ...together],
      3,
    );
    return {
      value,
      gradients: (gradient) => {
        const [inputGradient, gammaGradient, betaGradient] = emitter.calls(
          'inception::batch_norm_relu_backward',
          [gradient, input, ...affine, mean, inverseDeviation, ...together],
          3,
        );
        return {
          inputs: [inputGradient],
          parameters: { ...(gamma && { gamma: gammaGradient }), beta: betaGradient },
        };
      },
    };
  },
  maxPool: (node, [input], lowering) => {
    const { emitter } = lowering;
    const { window, stride, padding } = node.attributes;
    const [value, positions] = emitter.calls('inception::max_pool', [input, window, stride, padding], 2);
    return {
      value,
      gradients: (gradient) => {
        const args = [gradient, positions, inputSizes(node, lowering), window, stride, padding];
        return { inputs: [emitter.call('inception::max_pool_backward', args)] };
      },
    };
  },
  avgPool: (node, [input], lowering) => {
    const { emitter } = lowering;
    const { window, stride, padding, countPadding } = node.attributes;
    const geometry = [window, stride, padding, countPadding] as const;
    return {
      value: emitter.call('inception::avg_pool', [input, ...geometry]),
      gradients: (gradient) => {
        const args = [gradient, inputSizes(node, lowering), ...geometry];
        return { inputs: [emitter.call('inception::avg_pool_backward', args)] };
      },
    };
  },
  scaledAdd: ({ attributes: { scale, relu = false } }, [input, branch], { emitter }) => {
    const value = emitter.call('inception::scaled_add', [input, branch, scale, relu]);
    return {
      value,
      gradients: (gradient) => ({
        inputs: emitter.calls(
          'inception::scaled_add_backward',
          [gradient, null, relu ? value : null, scale],
          2,
        ),
      }),
    };
  },
};
