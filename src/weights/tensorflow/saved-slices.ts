/**
 * TensorFlow's single-file checkpoints (V1, before 2017; used for TF-Slim's releases): a table of tensor slices.
 * Format: tensorflow/core/util/tensor_slice_writer.cc
 */

import { type TensorInfo, WeightsError } from '../tensor-file.ts';
import type { OpenTensors } from './bundle.ts';
import { maxUnpackedBytes, type Table } from './leveldb-table.ts';
import { decodeSavedSlice, decodeSlicesMeta, type Extent, type SlicedTensor } from './messages.ts';
import { sliceKey } from './ordered-code.ts';
import { decodeTensorValues } from './tensor-proto.ts';
import { type ElementType, elementCount, elementTypes } from './types.ts';

/** The latest version of these files. */
const knownVersion = 1;

interface SavedTensor extends TensorInfo {
  readonly type: ElementType;
  readonly slice: readonly Extent[];
}

/** @throws WeightsError that does not name the file. */
export function openSavedSlices(
  table: Table,
  { meta, fileBytes }: { meta: Uint8Array; fileBytes: number },
): Omit<OpenTensors, 'close'> {
  const tensors = readTensors(meta, fileBytes + maxUnpackedBytes);
  return {
    tensors,
    async read(name) {
      const tensor = tensors.get(name);
      if (!tensor) return undefined;
      const { dtype, shape, type, slice } = tensor;
      const value = await table.find(sliceKey({ name, extents: slice }));
      if (!value)
        throw new WeightsError(`tensor '${name}' is listed, but the file does not contain its values`);
      const saved = decodeSavedSlice(value);
      if (saved.name !== name) {
        throw new WeightsError(`the key of tensor '${name}' refers to values of '${saved.name}'`);
      }
      return { name, dtype, shape, data: valuesOf(saved.tensor, tensor, type) };
    },
  };
}

function valuesOf(encoded: Uint8Array, info: SavedTensor, type: ElementType) {
  try {
    return decodeTensorValues(encoded, { info, type });
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new WeightsError(`tensor '${info.name}': ${error.message}`, { cause: error });
  }
}

function readTensors(meta: Uint8Array, maxBytes: number): ReadonlyMap<string, SavedTensor> {
  const { tensors: listed, minReader } = decodeSlicesMeta(meta);
  if (minReader > knownVersion) {
    throw new WeightsError(`it needs a reader of version ${minReader}, this one supports ${knownVersion}`);
  }
  const tensors = new Map<string, SavedTensor>();
  for (const tensor of listed) {
    const type = elementTypes.get(tensor.type);
    if (!type) continue;
    const { name, shape, firstSlice: slice } = tensor;
    if (tensors.has(name)) throw new WeightsError(`the file lists '${name}' twice`);
    checkWhole(tensor);
    const bytes = elementCount(shape) * type.bytes;
    if (bytes > maxBytes) {
      throw new WeightsError(
        `tensor '${name}': ${type.dtype} [${shape.join(', ')}] needs ${bytes} bytes, the limit for a file of this size is ${maxBytes}`,
      );
    }
    tensors.set(name, { name, dtype: type.dtype, shape, type, slice });
  }
  return tensors;
}

function checkWhole({ name, shape, slices, firstSlice }: SlicedTensor): void {
  const whole =
    slices === 1 &&
    firstSlice.length === shape.length &&
    firstSlice.every(({ start, length }, index) => start === 0 && (length ?? shape[index]) === shape[index]);
  if (whole) return;
  const content = slices === 1 ? 'a part of it' : `${slices} slices`;
  throw new WeightsError(
    `variable '${name}' is partitioned: the file contains ${content}, which is not supported; save it unpartitioned`,
  );
}
