/** Checks what a PyTorch checkpoint says of a tensor, and brings its values to C order. */
import type { ByteSource } from '../byte-source.ts';
import { type TensorInfo, WeightsError } from '../tensor-file.ts';
import { type ElementType, elementTypes, isCount, type TorchStorage, type TorchTensor } from './objects.ts';

/** Where a file keeps its storages. */
export interface Storages {
  /** Undefined if there is none. */
  bytesOf(storage: TorchStorage): number | undefined;
  positionOf(storage: TorchStorage): Promise<number>;
}

interface Dimension {
  readonly size: number;
  /** From one element to the next, in elements. */
  readonly stride: number;
  /** The same where the values go. */
  readonly step: number;
}

export interface CheckedTensor extends TensorInfo {
  readonly storage: TorchStorage;
  readonly type: ElementType;
  /** In elements, from the storage's begin. */
  readonly offset: number;
  readonly count: number;
  /** Of more than one element, by decreasing stride: in the order of the file. Empty if the values are in C order there. */
  readonly dimensions: readonly Dimension[];
}

/** So much more than the file a tensor may have: a few values repeated (`expand`) are small. */
const repeatedBytes = 2 ** 20;

/** PyTorch's own limit. */
const mostDimensions = 64;

/** Of a storage whose values are in another order than C's. */
const windowBytes = 4 * 2 ** 20;

/** @throws WeightsError that does not name the file. */
export function checkTensor(
  name: string,
  { tensor, storages, fileBytes }: { tensor: TorchTensor; storages: Storages; fileBytes: number },
): CheckedTensor {
  const fail = (problem: string) => new WeightsError(`tensor '${name}' ${problem}`);
  const { storage } = tensor;
  const type = elementTypes.get(tensor.type ?? '');
  if (!type) {
    throw fail(
      `is of ${tensor.type ?? 'an unknown type'}, expected one of ${[...elementTypes.keys()].join(', ')}`,
    );
  }
  const { shape, stride, offset: own } = tensor;
  if (!(isCounts(shape) && isCounts(stride) && isCount(own) && shape.length === stride.length)) {
    throw fail('has no shape, strides and offset of whole numbers that fit each other');
  }
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (!(count * type.bytes <= fileBytes + repeatedBytes)) {
    throw fail(
      `would have ${count * type.bytes} bytes, the file has ${fileBytes}; save it by .contiguous() if it repeats values`,
    );
  }
  const offset = own + storage.viewOffset;
  const last = shape.reduce((sum, size, index) => sum + (size - 1) * (stride[index] as number), offset);
  const available = storages.bytesOf(storage);
  if (count > 0) {
    if (available === undefined) throw fail(`has its values in storage '${storage.key}', which is not there`);
    if (!((last + 1) * type.bytes <= available)) {
      throw fail(
        `needs ${(last + 1) * type.bytes} bytes of storage '${storage.key}', which has ${available}; was the file copied whole?`,
      );
    }
  }
  const dimensions = inFileOrder(shape, stride);
  if (count > 0 && !isSorted(dimensions)) {
    throw fail('has windows that overlap; save it by .contiguous()');
  }
  const plain = dimensions.every((each) => each.stride === each.step);
  return {
    name,
    dtype: type.dtype,
    shape,
    storage,
    type,
    offset,
    count,
    dimensions: plain ? [] : dimensions,
  };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= mostDimensions && value.every(isCount);

function inFileOrder(shape: readonly number[], stride: readonly number[]): Dimension[] {
  let step = 1;
  const dimensions: Dimension[] = [];
  for (let index = shape.length - 1; index >= 0; index--) {
    const size = shape[index] as number;
    if (size !== 1) dimensions.unshift({ size, stride: stride[index] as number, step });
    step *= size;
  }
  return dimensions.sort((a, b) => b.stride - a.stride);
}

/** Whether the file is read from the front to the back. Not so for the windows of `unfold`, which nobody has for weights. */
function isSorted(dimensions: readonly Dimension[]): boolean {
  let reach = 0;
  for (const { size, stride } of dimensions.toReversed()) {
    if (stride < reach) return false;
    reach += stride * (size - 1);
  }
  return true;
}

/** Reads the values. In memory are they and, if they stand in another order, a window of the file. */
export async function readValues(
  { type, storage, offset, count, dimensions }: CheckedTensor,
  { storages, source }: { storages: Storages; source: ByteSource },
): Promise<ArrayBuffer> {
  if (count === 0) return new ArrayBuffer(0);
  const start = (await storages.positionOf(storage)) + offset * type.bytes;
  if (dimensions.length === 0) return (await source.read(start, count * type.bytes)).buffer;
  const reach = dimensions.reduce((sum, { size, stride }) => sum + (size - 1) * stride, 1) * type.bytes;
  const values = new Uint8Array(count * type.bytes);
  let window = new Uint8Array(0);
  let windowStart = 0;
  for (const [from, to] of places(dimensions, type.bytes)) {
    if (from + type.bytes > windowStart + window.length) {
      windowStart = from;
      window = await source.read(start + from, Math.min(windowBytes, reach - from));
    }
    for (let byte = 0; byte < type.bytes; byte++) {
      values[to + byte] = window[from - windowStart + byte] as number;
    }
  }
  return values.buffer;
}

/** Where each element is and where it goes, in bytes, in the order of the file. */
function* places(dimensions: readonly Dimension[], bytes: number): Generator<[from: number, to: number]> {
  const at = dimensions.map(() => 0);
  let from = 0;
  let to = 0;
  while (true) {
    yield [from, to];
    let index = dimensions.length - 1;
    for (; index >= 0; index--) {
      const { size, stride, step } = dimensions[index] as Dimension;
      const next = (at[index] as number) + 1;
      at[index] = next < size ? next : 0;
      const moved = next < size ? 1 : 1 - size;
      from += moved * stride * bytes;
      to += moved * step * bytes;
      if (next < size) break;
    }
    if (index < 0) return;
  }
}
