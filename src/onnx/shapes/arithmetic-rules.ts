/** Shapes of arithmetic: element by element, over axes, and products of matrices. */
import { type Dimension, positiveAxis, type ShapeRule, unknown, type Value } from './value.ts';

/** Every one has a single output. */
type Rule = (...parameters: Parameters<ShapeRule>) => Value;

/** NumPy's broadcasting of two sizes; undefined where they do not fit, or nobody knows. */
function broadcastSize(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === 'number' && typeof b === 'string') return a;
  return typeof a === 'string' && typeof b === 'number' ? b : undefined;
}

/** The shape of several values that are broadcast. */
export function broadcast(values: readonly (Value | undefined)[]): Value {
  let dims: readonly Dimension[] = [];
  for (const value of values) {
    const other = value?.dims;
    if (!other) return unknown;
    const rank = Math.max(dims.length, other.length);
    const sizes: Dimension[] = [];
    for (let axis = 0; axis < rank; axis++) {
      const size = broadcastSize(
        dims[axis - rank + dims.length] ?? 1,
        other[axis - rank + other.length] ?? 1,
      );
      if (size === undefined) return unknown;
      sizes.push(size);
    }
    dims = sizes;
  }
  return { dims };
}

/** Arithmetic on the numbers of a shape. */
const known: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => (Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b),
};

const elementwise: Rule = (inputs, _, { op }) => {
  const result = broadcast(inputs.filter((input) => input !== undefined));
  const compute = known[op];
  const [a, b] = inputs.map((input) => input?.values);
  if (!compute || !a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return result;
  const length = a.length === 1 ? b.length : a.length;
  const at = (values: readonly number[], index: number) => values[values.length === 1 ? 0 : index] as number;
  const values = Array.from({ length }, (_value, index) => compute(at(a, index), at(b, index)));
  return { ...result, values };
};

/** Elements are computed one by one: the first input's shape. */
const same: Rule = ([input]) => ({ dims: input?.dims });
const sameValues: Rule = ([input]) => input ?? unknown;

/** Axes are an attribute or, since opset 13 and 18, the second input. */
const reduction: Rule = ([input, axesInput], attributes, { inputs }) => {
  const dims = input?.dims;
  if (!dims) return unknown;
  const given = attributes.ints('axes') ?? axesInput?.values;
  if (!given && inputs[1]) return unknown;
  const axes = (given ?? []).map((axis) => positiveAxis(axis, dims.length));
  const all = axes.length === 0;
  if (all && attributes.int('noop_with_empty_axes', 0) === 1) return { dims };
  const reduced = (axis: number) => all || axes.includes(axis);
  return attributes.int('keepdims', 1) === 1
    ? { dims: dims.map((size, axis) => (reduced(axis) ? 1 : size)) }
    : { dims: dims.filter((_, axis) => !reduced(axis)) };
};

/** ReduceProd of a shape is a number of elements. */
const product: Rule = (inputs, attributes, node) => {
  const result = reduction(inputs, attributes, node);
  const values = inputs[0]?.values;
  return values ? { ...result, values: [values.reduce((a, b) => a * b, 1)] } : result;
};

const bestIndex: Rule = ([input], attributes) => {
  if (!input?.dims) return unknown;
  const axis = positiveAxis(attributes.int('axis', 0), input.dims.length);
  return attributes.int('keepdims', 1) === 1
    ? { dims: input.dims.map((size, index) => (index === axis ? 1 : size)) }
    : { dims: input.dims.filter((_, index) => index !== axis) };
};

const gemm: Rule = ([a, b], attributes) => {
  if (a?.dims?.length !== 2 || b?.dims?.length !== 2) return unknown;
  const rows = a.dims[attributes.int('transA', 0) ? 1 : 0] as Dimension;
  return { dims: [rows, b.dims[attributes.int('transB', 0) ? 0 : 1] as Dimension] };
};

const matrices: Rule = ([a, b]) => {
  if (!a?.dims || !b?.dims || a.dims.length < 2 || b.dims.length < 2) return unknown;
  const batch = broadcast([{ dims: a.dims.slice(0, -2) }, { dims: b.dims.slice(0, -2) }]);
  return batch.dims
    ? { dims: [...batch.dims, a.dims.at(-2) as Dimension, b.dims.at(-1) as Dimension] }
    : unknown;
};

/** Every letter has its place in it. */
const maxEquation = 1000;

/** Every letter's size from the inputs; without an arrow the output has the letters that occur once, in order. */
const einsum: Rule = (inputs, attributes) => {
  const equation = attributes.text('equation')?.replaceAll(' ', '');
  if (equation === undefined || equation.includes('.') || equation.length > maxEquation) return unknown;
  const [left = '', right] = equation.split('->');
  const sizes = new Map<string, Dimension>();
  for (const [index, letters] of left.split(',').entries()) {
    const dims = inputs[index]?.dims;
    if (dims?.length !== letters.length) return unknown;
    for (const [axis, letter] of [...letters].entries())
      if (typeof sizes.get(letter) !== 'number') sizes.set(letter, dims[axis] as Dimension);
  }
  const once = [...sizes.keys()].filter((letter) => left.split(letter).length === 2).sort();
  const output = right === undefined ? once : [...right];
  return { dims: output.map((letter) => sizes.get(letter) ?? 'unknown') };
};

/** Also the operators whose first output has the shape of their first input, whatever else they need. */
const unary = `
  Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Ceil Celu Clip Cos Cosh CumSum DequantizeLinear Dropout
  DynamicQuantizeLinear Elu Erf Exp Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax InstanceNormalization IsInf IsNaN
  LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear
  RMSNormalization Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh
  ThresholdedRelu Trilu`;
const binary = `
  Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow
  Sub Sum Where Xor`;
const reductions = `
  ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare`;

const ruleFor = (names: string, rule: Rule): Record<string, Rule> =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, rule]),
  );

export const arithmeticRules: Readonly<Record<string, Rule>> = {
  ...ruleFor(unary, same),
  ...ruleFor('Cast CastLike Identity', sameValues),
  ...ruleFor(binary, elementwise),
  ...ruleFor(reductions, reduction),
  ...ruleFor('ArgMax ArgMin', bestIndex),
  ReduceProd: product,
  Gemm: gemm,
  MatMul: matrices,
  MatMulInteger: matrices,
  Einsum: einsum,
};
