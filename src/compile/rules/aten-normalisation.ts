/** Batch normalisation, ReLU and dropout with libtorch's operators. */

import type { Node } from '../../graph/graph.ts';
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';
import { type Lowering, parameterOf, type Rule } from './rule.ts';
import { synchronisedBatchNorm } from './synchronised-normalisation.ts';

/** The fused ReLU of an operation, if it has one, and the gradient that it passes. */
export function reluOf(input: Value, relu: boolean | undefined, emitter: Emitter) {
  if (!relu) return { value: input, masked: (gradient: Value) => gradient };
  const value = emitter.call('aten::relu', [input]);
  return {
    value,
    masked: (gradient: Value) => emitter.call('aten::threshold_backward', [gradient, value, 0]),
  };
}

export const relu: Rule<'relu'> = (_, [input], { emitter }) => {
  const { value, masked } = reluOf(input, true, emitter);
  return { value, gradients: (gradient) => ({ inputs: [masked(gradient)] }) };
};

export const batchNorm: Rule<'batchNorm'> = (node, inputs, lowering) => {
  const { emitter, normalisedTogether } = lowering;
  const normalise = normalisedTogether > 1 ? synchronisedBatchNorm : ownBatchNorm;
  const { value: normalised, gradients } = normalise(node, inputs, lowering);
  const { value, masked } = reluOf(normalised, node.attributes.relu, emitter);
  return { value, gradients: (gradient, needsInput) => gradients(masked(gradient), needsInput) };
};

const ownBatchNorm: Rule<'batchNorm'> = (node, [input], lowering) => {
  const { emitter, batchStatistics, batchNormMomentum } = lowering;
  const { epsilon } = node.attributes;
  const { gamma } = lowering.graph.network;
  const factor = gamma ? parameterOf(node, 'gamma', lowering) : ones(node, lowering);
  const beta = parameterOf(node, 'beta', lowering);
  const moving = (['movingMean', 'movingVariance'] as const).map((part) => parameterOf(node, part, lowering));
  const [value, mean, inverseDeviation] = emitter.calls(
    'aten::native_batch_norm',
    [input, factor, beta, ...moving, batchStatistics, batchNormMomentum, epsilon],
    3,
  );
  return {
    value,
    gradients: (gradient) => {
      // By the batch's statistics the moving ones are not read; named here, they could not travel to other replicas before this step.
      const [read, saved] = batchStatistics
        ? [
            [null, null],
            [mean, inverseDeviation],
          ]
        : [moving, [null, null]];
      const outputMask = [true, gamma, true];
      const [inputGradient, gammaGradient, betaGradient] = emitter.calls(
        'aten::native_batch_norm_backward',
        [gradient, input, factor, ...read, ...saved, batchStatistics, epsilon, outputMask],
        3,
      );
      return {
        inputs: [inputGradient],
        parameters: { ...(gamma && { gamma: gammaGradient }), beta: betaGradient },
      };
    },
  };
};

/** The scale of a network without gammas. */
const ones = (node: Node, lowering: Lowering): Value =>
  lowering.emitter.call('aten::ones_like', [parameterOf(node, 'movingVariance', lowering)]);

export const dropout: Rule<'dropout'> = ({ attributes: { keep } }, [input], { emitter, dropout }) => {
  if (!dropout || keep === 1) return { value: input, gradients: (gradient) => ({ inputs: [gradient] }) };
  const kept = emitter.call('aten::bernoulli.p', [input, keep], { generator: { generator: 'store' } });
  const mask = emitter.call('aten::mul_.Scalar', [kept, 1 / keep]);
  return {
    value: emitter.call('aten::mul.Tensor', [input, mask]),
    gradients: (gradient) => ({ inputs: [emitter.call('aten::mul.Tensor', [gradient, mask])] }),
  };
};
