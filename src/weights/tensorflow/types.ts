/** The types of TensorFlow tensors that weights may have. Numbers are those of tensorflow/core/framework/types.proto. */

import type { TensorData } from '../tensor-file.ts';
import { readInt64, type WireReader, type WireType } from './messages.ts';

export interface ElementType {
  readonly dtype: string;
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => TensorData;
  /** The TensorProto field for individual values, used unless they are in tensor_content. */
  readonly field: number;
  readonly wire: Exclude<WireType, 'bytes'>;
  /** Reads one value from a varint into an array of this type. */
  readonly set?: (array: TensorData, source: { index: number; reader: WireReader }) => void;
}

const setInt32: ElementType['set'] = (array, { index, reader }) => {
  array[index] = reader.int32();
};

const setInt64: ElementType['set'] = (array, { index, reader }) => {
  array[index] = readInt64(reader);
};

const varint = { wire: 'varint', set: setInt32 } as const;

/** Tensors of other types (strings, complex numbers, …) are not weights, and are ignored. */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, { dtype: 'F32', bytes: 4, array: Float32Array, field: 5, wire: 'fixed32' }],
  [2, { dtype: 'F64', bytes: 8, array: Float64Array, field: 6, wire: 'fixed64' }],
  [3, { dtype: 'I32', bytes: 4, array: Int32Array, field: 7, ...varint }],
  [4, { dtype: 'U8', bytes: 1, array: Uint8Array, field: 7, ...varint }],
  [9, { dtype: 'I64', bytes: 8, array: BigInt64Array, field: 10, wire: 'varint', set: setInt64 }],
  [10, { dtype: 'BOOL', bytes: 1, array: Uint8Array, field: 11, ...varint }],
  [14, { dtype: 'BF16', bytes: 2, array: Uint16Array, field: 13, ...varint }],
  [19, { dtype: 'F16', bytes: 2, array: Uint16Array, field: 13, ...varint }],
]);

/** Infinite or larger than any file for counts beyond 2^53. */
export const elementCount = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
