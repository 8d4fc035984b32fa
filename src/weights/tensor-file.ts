/** The interface of all weights readers: the tensors of a file by name, read one at a time. */
import { InceptionError } from '../errors.ts';

/** Arrays that hold values; other types are represented by their bytes. */
export type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint16Array | Uint8Array;

export interface TensorInfo {
  readonly name: string;
  /** In safetensors' notation: F32, F64, F16, BF16, I64, … */
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A tensor of a file, without its values. */
export interface NamedTensor extends TensorInfo {
  /** In C order. F16 and BF16 are represented by their 16 bits. */
  readonly data: TensorData;
}

export type WeightsFormat = 'safetensors' | 'h5' | 'torch' | 'tf-checkpoint' | 'tfjs-layers';

/** An open file. Its header has been read and checked; values are read on demand. */
export interface TensorFile {
  readonly format: WeightsFormat;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** What the reader chose or left out, a sentence each, for the user. */
  readonly decisions?: readonly string[];
  /** Reads one tensor's values. @throws WeightsError if there is no such tensor, or its bytes are corrupt. */
  read(name: string): Promise<NamedTensor>;
  close(): Promise<void>;
}

/** A weights file that violates its format, cannot be read, or does not fit its network. */
export class WeightsError extends InceptionError {
  override name = 'WeightsError';
}
