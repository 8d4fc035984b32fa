/** Validates a PyTorch checkpoint's description of a tensor, and reads its values in C order. */
import type { ByteSource } from '../byte-source.ts';
import { type TensorInfo, WeightsError } from '../tensor-file.ts';
import { type ElementType, elementTypes, isCount, type TorchStorage, type TorchTensor } from './objects.ts';

/** Locations of a file's storages. */
export interface Storages {
  /** Undefined if there is no such storage. */
  bytesOf(storage: TorchStorage): number | undefined;
  positionOf(storage: TorchStorage): Promise<number>;
}

interface Dimension {
  readonly size: number;
  /** Distance between elements in the file, in elements. */
  readonly stride: number;
  /** Distance between elements in the result. */
  readonly step: number;
}

export interface CheckedTensor extends TensorInfo {
  readonly storage: TorchStorage;
  readonly type: ElementType;
  /** In elements, from the beginning of the storage. */
  readonly offset: number;
  readonly count: number;
  /** Dimensions of more than one element by decreasing stride, that is in file order. Empty if the file is in C order. */
  readonly dimensions: readonly Dimension[];
}

/** A tensor may exceed the file by this much: a few repeated values (`expand`) are harmless. */
const repeatedBytes = 2 ** 20;

/** PyTorch's own limit. */
const maxDimensions = 64;

/** Size of the reading window for storages that are not in C order. */
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
  const { shape, stride, offset: ownOffset } = tensor;
  if (!(isCounts(shape) && isCounts(stride) && isCount(ownOffset) && shape.length === stride.length)) {
    throw fail('has an invalid shape, strides or offset');
  }
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (!(count * type.bytes <= fileBytes + repeatedBytes)) {
    throw fail(
      `would have ${count * type.bytes} bytes, the file has ${fileBytes}; save it with .contiguous() if it repeats values`,
    );
  }
  const offset = ownOffset + storage.viewOffset;
  const last = shape.reduce((sum, size, index) => sum + (size - 1) * (stride[index] as number), offset);
  const available = storages.bytesOf(storage);
  if (count > 0) {
    if (available === undefined) throw fail(`refers to storage '${storage.key}', which does not exist`);
    if (!((last + 1) * type.bytes <= available)) {
      throw fail(
        `needs ${(last + 1) * type.bytes} bytes of storage '${storage.key}', which has ${available}; is the file complete?`,
      );
    }
  }
  const dimensions = inFileOrder(shape, stride);
  if (count > 0 && !isSorted(dimensions)) {
    throw fail('has overlapping windows; save it with .contiguous()');
  }
  const isCOrder = dimensions.every(({ stride, step }) => stride === step);
  return {
    name,
    dtype: type.dtype,
    shape,
    storage,
    type,
    offset,
    count,
    dimensions: isCOrder ? [] : dimensions,
  };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= maxDimensions && value.every(isCount);

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

/** Whether the file is read front to back, which fails only for the overlapping windows of `unfold`. */
function isSorted(dimensions: readonly Dimension[]): boolean {
  let reach = 0;
  for (const { size, stride } of dimensions.toReversed()) {
    if (stride < reach) return false;
    reach += stride * (size - 1);
  }
  return true;
}

/** Reads the values. Memory holds the values and, if they are in another order, a window of the file. */
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
  for (const [from, to] of elementPositions(dimensions, type.bytes)) {
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

/** Source and target position of each element, in bytes, in file order. */
function* elementPositions(
  dimensions: readonly Dimension[],
  bytes: number,
): Generator<[from: number, to: number]> {
  const indices = dimensions.map(() => 0);
  let from = 0;
  let to = 0;
  while (true) {
    yield [from, to];
    let index = dimensions.length - 1;
    for (; index >= 0; index--) {
      const { size, stride, step } = dimensions[index] as Dimension;
      const next = (indices[index] as number) + 1;
      indices[index] = next < size ? next : 0;
      const moved = next < size ? 1 : 1 - size;
      from += moved * stride * bytes;
      to += moved * step * bytes;
      if (next < size) break;
    }
    if (index < 0) return;
  }
}
