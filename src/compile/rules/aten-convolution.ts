/** Convolutions and dense layers by libtorch's own operators. */
import type { Attributes, Node } from '../../graph/graph.ts';
import type { Value } from '../program.ts';
import { reluOf } from './aten-normalisation.ts';
import { channelsLast, type Lowering, parameterOf, type Rule, toPrecision } from './rule.ts';

/** ATen's arguments for a convolution after input and weights. */
export const convolutionGeometry = ({ stride, padding, groups }: Attributes['conv']) =>
  [[stride, stride], padding, [1, 1], false, [0, 0], groups] as const;

/** With a sum and a ReLU after it, where a pass has moved them in. */
export const conv: Rule<'conv'> = (node, [input, sum], lowering) => {
  const { emitter } = lowering;
  const { bias, relu } = node.attributes;
  const weight = rounded(node, 'weight', lowering);
  const geometry = convolutionGeometry(node.attributes);
  const shift = bias ? rounded(node, 'bias', lowering) : null;
  const product = emitter.call('aten::convolution', [input, weight, shift, ...geometry]);
  const summed = sum ? emitter.call('aten::add.Tensor', [sum, product]) : product;
  const { value, masked } = reluOf(summed, relu, emitter);
  return {
    value,
    gradients: (gradient, needsInput) => {
      const through = masked(gradient);
      const [ofInput, ofWeight, ofBias] = emitter.calls(
        'aten::convolution_backward',
        [through, input, weight, bias ? [node.shape[2]] : null, ...geometry, [needsInput, true, bias]],
        3,
      );
      return {
        inputs: [needsInput ? ofInput : null, ...(sum ? [through] : [])],
        parameters: {
          weight: asStored(ofWeight, lowering, channelsLast),
          ...(bias && { bias: asStored(ofBias, lowering) }),
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
      const ofInput = emitter.call('aten::mm', [gradient, weight]);
      const ofWeight = emitter.call('aten::mm', [emitter.call('aten::t', [gradient]), input]);
      const ofBias = bias && { bias: emitter.call('aten::sum.dim_IntList', [gradient, [0], false]) };
      return { inputs: [ofInput], parameters: { weight: ofWeight, ...ofBias } };
    },
  };
};
