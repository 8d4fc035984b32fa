/** Shapes of what moves, joins and repeats elements, and of what makes a value of a size that is itself a value. */
import {
  type Attributes,
  type Dimension,
  elementsOf,
  maxKnownValues,
  positiveAxis,
  type ShapeRule,
  unknown,
  type Value,
} from './value.ts';

/** Sum of sizes, if all are numbers. */
function sum(sizes: readonly (Dimension | undefined)[]): Dimension {
  let total = 0;
  for (const size of sizes) {
    if (typeof size !== 'number') return 'unknown';
    total += size;
  }
  return total;
}

const concat: ShapeRule = (inputs, attributes) => {
  const [first] = inputs;
  if (!first?.dims || inputs.some((input) => input?.dims?.length !== first.dims?.length)) return unknown;
  const axis = positiveAxis(attributes.int('axis', 0), first.dims.length);
  const dims = first.dims.map((size, index) =>
    index === axis ? sum(inputs.map((input) => input?.dims?.[axis])) : size,
  );
  const values = inputs.flatMap((input) => input?.values ?? [Number.NaN]);
  const isKnown = dims.length === 1 && values.length <= maxKnownValues && !values.some(Number.isNaN);
  return { dims, ...(isKnown && { values }) };
};

/** Sizes of the parts are an attribute, the second input, or equal. */
const split: ShapeRule = ([input, sizesInput], attributes, { inputs, outputs }) => {
  const dims = input?.dims;
  if (!dims) return unknown;
  const axis = positiveAxis(attributes.int('axis', 0), dims.length);
  const whole = dims[axis];
  const sizes = attributes.ints('split') ?? sizesInput?.values;
  const isEqual = !sizes && !inputs[1];
  const equal = isEqual && typeof whole === 'number' ? Math.ceil(whole / outputs.length) : undefined;
  return outputs.map((_, part) => {
    const rest = equal === undefined ? undefined : Math.min(equal, (whole as number) - part * equal);
    const size = sizes?.[part] ?? rest ?? 'unknown';
    return { dims: dims.map((each, index) => (index === axis ? size : each)) };
  });
};

const flatten: ShapeRule = ([input], attributes) => {
  if (!input?.dims) return unknown;
  const axis = positiveAxis(attributes.int('axis', 1), input.dims.length);
  const sideOf = (dims: readonly Dimension[]): Dimension =>
    dims.length === 1 ? (dims[0] as Dimension) : (elementsOf({ dims }) ?? 'unknown');
  return { dims: [sideOf(input.dims.slice(0, axis)), sideOf(input.dims.slice(axis))] };
};

/** 0 keeps a size, −1 takes what is left. */
const reshape: ShapeRule = ([input, shape], attributes) => {
  if (!shape?.values) return unknown;
  const keepsZero = attributes.int('allowzero', 0) === 1;
  const sizes = shape.values.map((size, axis) =>
    size === 0 && !keepsZero ? (input?.dims?.[axis] ?? 'unknown') : size,
  );
  const rest = sizes.indexOf(-1);
  if (rest >= 0) {
    const whole = input && elementsOf(input);
    const others = elementsOf({ dims: sizes.filter((_, axis) => axis !== rest) });
    sizes[rest] = whole === undefined || !others ? 'unknown' : whole / others;
  }
  return { dims: sizes, ...(input?.values && { values: input.values }) };
};

const axesOf = (attributes: Attributes, input: Value | undefined): readonly number[] | undefined =>
  attributes.ints('axes') ?? input?.values;

const squeeze: ShapeRule = ([input, axesInput], attributes, { inputs }) => {
  const dims = input?.dims;
  if (!dims) return unknown;
  const axes = axesOf(attributes, axesInput)?.map((axis) => positiveAxis(axis, dims.length));
  if (!axes && inputs[1]) return unknown;
  return {
    dims: dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
    values: input.values,
  };
};

const unsqueeze: ShapeRule = ([input, axesInput], attributes) => {
  const axes = axesOf(attributes, axesInput);
  if (!input?.dims || !axes) return unknown;
  const rank = input.dims.length + axes.length;
  const added = new Set(axes.map((axis) => positiveAxis(axis, rank)));
  const rest = [...input.dims];
  const dims = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1)));
  return { dims, values: input.values };
};

const transpose: ShapeRule = ([input], attributes) => {
  const dims = input?.dims;
  if (!dims) return unknown;
  const order = attributes.ints('perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
  return { dims: order.map((axis) => dims[axis] ?? 'unknown') };
};

const slice: ShapeRule = ([input, startsInput, endsInput, axesInput, stepsInput], attributes, { inputs }) => {
  const dims = input?.dims;
  const starts = attributes.ints('starts') ?? startsInput?.values;
  const ends = attributes.ints('ends') ?? endsInput?.values;
  const axes = axesOf(attributes, axesInput) ?? (inputs[3] ? undefined : starts?.map((_, axis) => axis));
  const steps = stepsInput?.values ?? (inputs[4] ? undefined : starts?.map(() => 1));
  // A slice is never larger than its input.
  if (!dims || !starts || !ends || !axes || !steps) return { dims };
  let values = input.values;
  const sizes = [...dims];
  for (const [index, given] of axes.entries()) {
    const axis = positiveAxis(given, dims.length);
    const [size, step = 1] = [dims[axis], steps[index]];
    if (typeof size !== 'number' || step === 0) continue;
    const within = (place: number) =>
      Math.max(step < 0 ? -1 : 0, Math.min(step < 0 ? size - 1 : size, place < 0 ? place + size : place));
    const [from, to] = [within(starts[index] ?? 0), within(ends[index] ?? size)];
    const count = Math.max(0, Math.ceil((to - from) / step));
    sizes[axis] = count;
    if (values && dims.length === 1)
      values = Array.from({ length: count }, (_, place) => values?.[from + place * step] ?? Number.NaN);
  }
  return { dims: sizes, ...(dims.length === 1 && { values }) };
};

const gather: ShapeRule = ([input, indices], attributes) => {
  if (!input?.dims || !indices?.dims) return unknown;
  const axis = positiveAxis(attributes.int('axis', 0), input.dims.length);
  const dims = [...input.dims.slice(0, axis), ...indices.dims, ...input.dims.slice(axis + 1)];
  if (input.dims.length !== 1 || !input.values || !indices.values) return { dims };
  const { values } = input;
  return { dims, values: indices.values.map((index) => values.at(index) ?? Number.NaN) };
};

const pad: ShapeRule = ([input, padsInput], attributes, { inputs }) => {
  const dims = input?.dims;
  const pads = attributes.ints('pads') ?? padsInput?.values;
  if (!dims || !pads || inputs[3] || pads.length !== 2 * dims.length) return unknown;
  return { dims: dims.map((size, axis) => sum([size, pads[axis], pads[axis + dims.length]])) };
};

const shape: ShapeRule = ([input], attributes) => {
  if (!input?.dims) return unknown;
  const from = attributes.int('start', 0);
  const sizes = input.dims.slice(from, attributes.int('end', input.dims.length));
  const isKnown = sizes.every((size) => typeof size === 'number');
  return { dims: [sizes.length], ...(isKnown && { values: sizes as readonly number[] }) };
};

/** As many as the numbers of a value say. */
const asStated: ShapeRule = ([sizes]) => (sizes?.values ? { dims: sizes.values } : unknown);

const expand: ShapeRule = ([input, sizes]) => {
  const [dims, target] = [input?.dims, sizes?.values];
  if (!dims || !target) return unknown;
  const rank = Math.max(dims.length, target.length);
  return {
    dims: Array.from({ length: rank }, (_, axis) => {
      const [own, wanted] = [dims[axis - rank + dims.length] ?? 1, target[axis - rank + target.length] ?? 1];
      return own === 1 ? wanted : own;
    }),
  };
};

const times = (size: Dimension, factor: number | undefined): Dimension =>
  typeof size === 'number' && factor !== undefined ? Math.floor(size * factor) : 'unknown';

const tile: ShapeRule = ([input, repeats]) =>
  input?.dims && repeats?.values
    ? { dims: input.dims.map((size, axis) => times(size, repeats.values?.[axis])) }
    : unknown;

/** Sizes as the fourth input, or factors as the third; Upsample has its factors as the second. */
const resize: ShapeRule = ([input, second, third, sizes], attributes, { op }) => {
  const dims = input?.dims;
  if (!dims || attributes.ints('axes')) return unknown;
  if (sizes?.values?.length === dims.length) return { dims: sizes.values };
  const factors = (op === 'Upsample' ? second : third)?.values;
  return factors?.length === dims.length
    ? { dims: dims.map((size, axis) => times(size, factors[axis])) }
    : unknown;
};

const range: ShapeRule = ([start, limit, step]) => {
  const [from, to, by] = [start?.values?.[0], limit?.values?.[0], step?.values?.[0]];
  if (from === undefined || to === undefined || !by) return unknown;
  const count = Math.max(0, Math.ceil((to - from) / by));
  const isKnown = count <= maxKnownValues;
  return {
    dims: [count],
    ...(isKnown && { values: Array.from({ length: count }, (_, index) => from + index * by) }),
  };
};

const blocks: ShapeRule = ([input], attributes, { op }) => {
  const [batch, channels, height, width] = input?.dims ?? [];
  const side = attributes.int('blocksize', 1);
  if (batch === undefined || channels === undefined || height === undefined || width === undefined)
    return unknown;
  const factor = op === 'DepthToSpace' ? side : 1 / side;
  return {
    dims: [batch, times(channels, 1 / factor ** 2), times(height, factor), times(width, factor)],
  };
};

const oneHot: ShapeRule = ([indices, depth], attributes) => {
  const count = depth?.values?.[0];
  if (!indices?.dims || count === undefined) return unknown;
  const dims = [...indices.dims];
  const axis = attributes.int('axis', -1);
  dims.splice(axis < 0 ? axis + dims.length + 1 : axis, 0, count);
  return { dims };
};

const constant: ShapeRule = (_, attributes) => {
  const tensor = attributes.tensor('value');
  if (tensor) return tensor;
  const ints = attributes.ints('value_ints');
  if (ints) return { dims: [ints.length], values: ints };
  const one = attributes.int('value_int', Number.NaN);
  return Number.isNaN(one) ? unknown : { dims: [], values: [one] };
};

export const structureRules: Readonly<Record<string, ShapeRule>> = {
  Concat: concat,
  Constant: constant,
  ConstantOfShape: asStated,
  DepthToSpace: blocks,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  OneHot: oneHot,
  Pad: pad,
  Range: range,
  Reshape: reshape,
  Resize: resize,
  Shape: shape,
  Slice: slice,
  SpaceToDepth: blocks,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Upsample: resize,
};
