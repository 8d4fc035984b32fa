/** Convolutions and dense layers with libtorch's operators. */
import type { Attributes, Node } from '../../graph/graph.ts';
import type { Value } from '../program.ts';
import { reluOf } from './aten-normalisation.ts';
import { channelsLast, type Lowering, parameterOf, type Rule, toPrecision } from './rule.ts';

/** ATen's arguments for a convolution after input and weights. */
export const convolutionGeometry = ({ stride, padding, groups }: Attributes['conv']) =>
  [[stride, stride], padding, [1, 1], false, [0, 0], groups] as const;

/** Also computes the sum and the ReLU that a pass has fused into the convolution. */
export const conv: Rule<'conv'> = (node, [input, sum], lowering) => {
  const { emitter } = lowering;
  const { bias, relu } = node.attributes;
  const weight = rounded(node, 'weight', lowering);
  const geometry = convolutionGeometry(node.attributes);
  const biasValue = bias ? rounded(node, 'bias', lowering) : null;
  const product = emitter.call('aten::convolution', [input, weight, biasValue, ...geometry]);
  const summed = sum ? emitter.call('aten::add.Tensor', [sum, product]) : product;
  const { value, masked } = reluOf(summed, relu, emitter);
  return {
    value,
    gradients: (gradient, needsInput) => {
      const maskedGradient = masked(gradient);
      const [inputGradient, weightGradient, biasGradient] = emitter.calls(
        'aten::convolution_backward',
        [maskedGradient, input, weight, bias ? [node.shape[2]] : null, ...geometry, [needsInput, true, bias]],
        3,
      );
      return {
        inputs: [needsInput ? inputGradient : null, ...(sum ? [maskedGradient] : [])],
        parameters: {
          weight: asStored(weightGradient, lowering, channelsLast),
          ...(bias && { bias: asStored(biasGradient, lowering) }),
        },
      };
    },
  };
};

function rounded(node: Node, part: string, lowering: Lowering): Value {
  const { emitter, precision, roundedParameters } = lowering;
  const parameter = parameterOf(node, part, lowering);
  return roundedParameters ? parameter : toPrecision(emitter, parameter, precision);
}

function asStored(gradient: Value, { emitter, roundedParameters }: Lowering, named = {}): Value {
  return roundedParameters
    ? gradient
    : emitter.call('aten::_to_copy', [gradient], { dtype: { dtype: 'float32' }, ...named });
}

export const linear: Rule<'linear'> = (node, [input], lowering) => {
  const { emitter } = lowering;
  const { bias } = node.attributes;
  const weight = parameterOf(node, 'weight', lowering);
  const transposed = emitter.call('aten::t', [weight]);
  const value = bias
    ? emitter.call('aten::addmm', [parameterOf(node, 'bias', lowering), input, transposed])
    : emitter.call('aten::mm', [input, transposed]);
  return {
    value,
    gradients: (gradient) => {
      const inputGradient = emitter.call('aten::mm', [gradient, weight]);
      const weightGradient = emitter.call('aten::mm', [emitter.call('aten::t', [gradient]), input]);
      const biasGradient = bias && { bias: emitter.call('aten::sum.dim_IntList', [gradient, [0], false]) };
      return { inputs: [inputGradient], parameters: { weight: weightGradient, ...biasGradient } };
    },
  };
};
