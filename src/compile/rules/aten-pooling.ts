/** Pooling and explicit padding with libtorch's operators. */
import { channelsLast, inputSizes, type Rule, toPrecision } from './rule.ts';

export const pad: Rule<'pad'> = ({ attributes: { before, after, value } }, [input], { emitter }) => {
  const [top, left] = before;
  const [bottom, right] = after;
  return {
    value: emitter.call('aten::constant_pad_nd', [input, [left, right, top, bottom], value]),
    gradients: (gradient) => {
      const crop = [-left, -right, -top, -bottom];
      return { inputs: [emitter.call('aten::constant_pad_nd', [gradient, crop, 0])] };
    },
  };
};

export const maxPool: Rule<'maxPool'> = ({ attributes }, [input], { emitter }) => {
  const { window, stride, padding } = attributes;
  const geometry = [window, [stride, stride], padding, [1, 1], false] as const;
  const [value, indices] = emitter.calls('aten::max_pool2d_with_indices', [input, ...geometry], 2);
  return {
    value,
    gradients: (gradient) => {
      const args = [gradient, input, ...geometry, indices];
      return { inputs: [emitter.call('aten::max_pool2d_with_indices_backward', args)] };
    },
  };
};

export const avgPool: Rule<'avgPool'> = ({ attributes }, [input], { emitter }) => {
  const { window, stride, padding, countPadding } = attributes;
  const geometry = [window, [stride, stride], padding, false, countPadding, null] as const;
  return {
    value: emitter.call('aten::avg_pool2d', [input, ...geometry]),
    gradients: (gradient) => ({
      inputs: [emitter.call('aten::avg_pool2d_backward', [gradient, input, ...geometry])],
    }),
  };
};

/** Switches to float32 [n, c]: the classifier costs little, and its precision shows in the logits. */
export const globalAvgPool: Rule<'globalAvgPool'> = (node, [input], lowering) => {
  const { emitter, precision } = lowering;
  return {
    value: emitter.call('aten::mean.dim', [input, [2, 3], false], { dtype: { dtype: 'float32' } }),
    gradients: (gradient) => {
      const [batch = 0, channels = 0, height = 0, width = 0] = inputSizes(node, lowering);
      const part = emitter.call('aten::mul.Scalar', [gradient, 1 / (height * width)]);
      const rounded = toPrecision(emitter, part, precision);
      const grid = emitter.call('aten::view', [rounded, [batch, channels, 1, 1]]);
      const expanded = emitter.call('aten::expand', [grid, [batch, channels, height, width]]);
      return { inputs: [emitter.call('aten::clone', [expanded], channelsLast)] };
    },
  };
};
