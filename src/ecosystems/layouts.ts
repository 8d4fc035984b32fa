/** Converts parameters between PyTorch's layout, which is ours, and a dialect's. */
import type { Parameter } from '../graph/graph.ts';
import { type NamedTensor, WeightsError } from '../weights/tensor-file.ts';

/** Convolutions [out, in, h, w] and dense [out, in], or [h, w, in, out] and [in, out]. */
export type Layout = 'torch' | 'tensorflow';

/** The shape of a parameter in a dialect's files. */
export function shapeIn(layout: Layout, { shape }: Parameter): readonly number[] {
  if (layout === 'torch') return shape;
  const [outputs = 0, inputs = 0, height, width] = shape;
  if (shape.length === 4) return [height as number, width as number, inputs, outputs];
  return shape.length === 2 ? [inputs, outputs] : shape;
}

/**
 * Whether a tensor's shape matches a parameter. A classifier may also be a 1x1 convolution, as in TF-Slim's Inception-v3: the
 * same numbers in the same order.
 */
export function fits(layout: Layout, parameter: Parameter, shape: readonly number[]): boolean {
  const expected = shapeIn(layout, parameter);
  if (expected.join() === shape.join()) return true;
  const ones = layout === 'torch' ? [...expected, 1, 1] : [1, 1, ...expected];
  return parameter.role === 'linearWeight' && ones.join() === shape.join();
}

/** Converts values from the dialect's layout to ours. */
export function fromLayout(layout: Layout, parameter: Parameter, values: Float32Array): Float32Array {
  return layout === 'torch' ? values : transpose(values, parameter.shape);
}

/** Converts values from our layout to the dialect's. */
export function toLayout(layout: Layout, parameter: Parameter, values: Float32Array): Float32Array {
  if (layout === 'torch' || parameter.shape.length === 1) return values;
  const outputs = parameter.shape[0] as number;
  const perOutput = values.length / outputs;
  const result = new Float32Array(values.length);
  forEachElement(parameter.shape, perOutput, (ours, theirs) => {
    result[theirs] = values[ours] as number;
  });
  return result;
}

function transpose(values: Float32Array, shape: readonly number[]): Float32Array {
  if (shape.length === 1) return values;
  const perOutput = values.length / (shape[0] as number);
  const result = new Float32Array(values.length);
  forEachElement(shape, perOutput, (ours, theirs) => {
    result[ours] = values[theirs] as number;
  });
  return result;
}

/** Visits pairs of indices: [o, i, h, w] with [h, w, i, o], and [o, i] with [i, o]. */
function forEachElement(
  [outputs = 0, inputs = 0]: readonly number[],
  perOutput: number,
  visit: (ours: number, theirs: number) => void,
): void {
  const area = perOutput / inputs;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let pixel = 0; pixel < area; pixel++) {
        visit(output * perOutput + input * area + pixel, (pixel * inputs + input) * outputs + output);
      }
    }
  }
}

/** Converts any float type to float32. @throws WeightsError for other types. */
export function toFloat32({ name, dtype, data }: NamedTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return new Float32Array(data);
  if (dtype === 'BF16' && data instanceof Uint16Array) {
    const bits = new Uint32Array(data.length);
    for (let index = 0; index < data.length; index++) bits[index] = (data[index] as number) << 16;
    return new Float32Array(bits.buffer);
  }
  if (dtype === 'F16' && data instanceof Uint16Array) {
    halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfToNumber(bits));
    const values = new Float32Array(data.length);
    for (let index = 0; index < data.length; index++) values[index] = halves[data[index] as number] as number;
    return values;
  }
  throw new WeightsError(
    `tensor '${name}': expected float values (F32, F64, F16 or BF16), received ${dtype}`,
  );
}

/** The value of every float16 by its bits: ten times as fast as computing each. */
let halves: Float32Array | undefined;

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
