/** Shapes of what slides a window over an image: convolutions and pooling. */
import { type Attributes, type Dimension, type ShapeRule, unknown } from './value.ts';

interface Window {
  readonly sides: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Beginnings of all axes, then the ends. */
  readonly pads: readonly number[];
}

function windowOf(attributes: Attributes, sides: readonly number[]): Window {
  const ones = sides.map(() => 1);
  return {
    sides,
    strides: attributes.ints('strides') ?? ones,
    dilations: attributes.ints('dilations') ?? ones,
    pads: attributes.ints('pads') ?? [...sides, ...sides].map(() => 0),
  };
}

const knownSizes = (dims: readonly Dimension[] | undefined): readonly number[] | undefined =>
  dims?.every((size) => typeof size === 'number') ? (dims as readonly number[]) : undefined;

/** Sizes of an image axis after a window of `side` has slid over it. */
function slid(sizes: readonly Dimension[], window: Window, attributes: Attributes): readonly Dimension[] {
  const automatic = attributes.text('auto_pad') ?? 'NOTSET';
  const round = attributes.int('ceil_mode', 0) === 1 ? Math.ceil : Math.floor;
  return sizes.map((size, axis) => {
    if (typeof size === 'string') return size;
    const stride = window.strides[axis] ?? 1;
    if (automatic.startsWith('SAME')) return Math.ceil(size / stride);
    const side = ((window.sides[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1;
    const padding =
      automatic === 'VALID' ? 0 : (window.pads[axis] ?? 0) + (window.pads[axis + sizes.length] ?? 0);
    return Math.max(0, round((size + padding - side) / stride) + 1);
  });
}

/** The weights are [filters, channels of a group, ...window]; those of QLinearConv are its fourth input. */
const convolution =
  (weightInput: number): ShapeRule =>
  (inputs, attributes) => {
    const dims = inputs[0]?.dims;
    const weight = knownSizes(inputs[weightInput]?.dims);
    if (!dims || !weight || weight.length !== dims.length) return unknown;
    const sides = attributes.ints('kernel_shape') ?? weight.slice(2);
    const [batch = 1, , ...sizes] = dims;
    return { dims: [batch, weight[0] as number, ...slid(sizes, windowOf(attributes, sides), attributes)] };
  };

const pooling: ShapeRule = ([input], attributes) => {
  const sides = attributes.ints('kernel_shape');
  if (!input?.dims || !sides || sides.length !== input.dims.length - 2) return unknown;
  const [batch = 1, channels = 1, ...sizes] = input.dims;
  return { dims: [batch, channels, ...slid(sizes, windowOf(attributes, sides), attributes)] };
};

/** The window's sizes become one. */
const globalPooling: ShapeRule = ([input]) =>
  input?.dims ? { dims: input.dims.map((size, axis) => (axis < 2 ? size : 1)) } : unknown;

/** The weights are [channels, filters of a group, ...window]. */
const transposed: ShapeRule = ([input, weights], attributes) => {
  const weight = knownSizes(weights?.dims);
  if (!input?.dims || !weight || weight.length !== input.dims.length) return unknown;
  const [batch = 1, , ...sizes] = input.dims;
  const filters = (weight[1] as number) * attributes.int('group', 1);
  const window = windowOf(attributes, attributes.ints('kernel_shape') ?? weight.slice(2));
  const added = attributes.ints('output_padding') ?? [];
  const stated = attributes.ints('output_shape');
  const automatic = (attributes.text('auto_pad') ?? 'NOTSET').startsWith('SAME');
  const enlarged = sizes.map((size, axis) => {
    if (typeof size === 'string') return size;
    const stride = window.strides[axis] ?? 1;
    if (automatic) return size * stride;
    const side = ((window.sides[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1;
    const padding = (window.pads[axis] ?? 0) + (window.pads[axis + sizes.length] ?? 0);
    return Math.max(0, stride * (size - 1) + (added[axis] ?? 0) + side - padding);
  });
  return { dims: [batch, filters, ...(stated ? stated.slice(-sizes.length) : enlarged)] };
};

export const windowRules: Readonly<Record<string, ShapeRule>> = {
  Conv: convolution(1),
  ConvInteger: convolution(1),
  QLinearConv: convolution(3),
  ConvTranspose: transposed,
  AveragePool: pooling,
  LpPool: pooling,
  MaxPool: pooling,
  GlobalAveragePool: globalPooling,
  GlobalLpPool: globalPooling,
  GlobalMaxPool: globalPooling,
};
