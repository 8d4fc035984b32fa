/** Input images, concatenation, slices and residual sums with libtorch's operators. */
import type { Node } from '../../graph/graph.ts';
import type { Value } from '../program.ts';
import { reluOf } from './aten-normalisation.ts';
import { type Lowering, type Rule, toPrecision } from './rule.ts';

export const input: Rule<'input'> = (node, _, lowering) => {
  const { emitter, batch, precision, images } = lowering;
  const [height, width, channels] = node.shape;
  const pixels = emitter.input('images', images, [batch, height, width, channels]);
  // [n, h, w, c] read as [n, c, h, w] is channels-last already.
  const permuted = emitter.call('aten::permute', [pixels, [0, 3, 1, 2]]);
  const scaled = images === 'float32' ? permuted : scalePixels(permuted, channels, lowering);
  return { value: toPrecision(emitter, scaled, precision), gradients: () => ({ inputs: [] }) };
};

/** (x / 255 − mean) / std per channel, the values repeated for more than three; a single pair of operators where all channels share the values. */
function scalePixels(bytes: Value, channels: number, { emitter, scaling: { mean, std } }: Lowering): Value {
  const floats = emitter.call('aten::_to_copy', [bytes], { dtype: { dtype: 'float32' } });
  const scaled = (pixels: Value, channel: number): Value => {
    const deviation = std[channel % std.length] as number;
    const product = emitter.call('aten::mul_.Scalar', [pixels, 1 / (255 * deviation)]);
    return emitter.call('aten::sub_.Scalar', [product, (mean[channel % mean.length] as number) / deviation]);
  };
  const same = (values: readonly number[]) => values.every((value) => value === values[0]);
  if (same(mean) && same(std)) return scaled(floats, 0);
  for (let channel = 0; channel < channels; channel++) {
    scaled(emitter.call('aten::slice.Tensor', [floats, 1, channel, channel + 1, 1]), channel);
  }
  return floats;
}

export const concat: Rule<'concat'> = (node, inputs, { emitter, graph }) => ({
  value: emitter.call('aten::cat', [inputs, 1]),
  gradients: (gradient) => {
    let from = 0;
    const parts = node.inputs.map((id) => {
      const to = from + (graph.nodes[id] as Node).shape[2];
      const part = emitter.call('aten::slice.Tensor', [gradient, 1, from, to, 1]);
      from = to;
      return part;
    });
    return { inputs: parts };
  },
});

export const slice: Rule<'slice'> = ({ attributes: { from, to } }, [input], { emitter }) => ({
  value: emitter.call('aten::slice.Tensor', [input, 1, from, to, 1]),
  gradients: (gradient) => ({ inputs: [{ value: gradient, from, to }] }),
});

export const scaledAdd: Rule<'scaledAdd'> = ({ attributes }, [input, branch], { emitter }) => {
  const { scale, relu } = attributes;
  const sum = emitter.call('aten::add.Tensor', [input, branch], { alpha: scale });
  const { value, masked } = reluOf(sum, relu, emitter);
  return {
    value,
    gradients: (gradient) => {
      const maskedGradient = masked(gradient);
      const scaled = scale === 1 ? maskedGradient : emitter.call('aten::mul.Scalar', [maskedGradient, scale]);
      return { inputs: [maskedGradient, scaled] };
    },
  };
};
