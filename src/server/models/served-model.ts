/** What the server needs of a model, whatever runs it: rows of values in, rows of values out. */
import type { Preprocessing } from '../../images/preprocess.ts';

/** The datatypes of the Open Inference Protocol that our networks take and give. */
export type Datatype = 'UINT8' | 'FP32';

/** Values of one or several rows, in C order of the tensor's shape. */
export type Values = Uint8Array | Float32Array;

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** Of one row, without the batch. */
  readonly shape: readonly number[];
}

export interface ServedModel {
  /** In addresses: letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** What runs it, as the protocol's metadata say: `inception_libtorch`, `onnxruntime_onnx`. */
  readonly platform: string;
  /** Where it was read from, for the log. */
  readonly source: string;
  /** The label of every output; none of a network without a classifier. */
  readonly classes: readonly string[];
  /** Names by which data sets know the classes. */
  readonly classIds?: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly input: TensorSpec;
  readonly output: TensorSpec;
  /** Rows of one batch at most. */
  readonly batch: number;
  /** Rows of the input, one after the other, to as many rows of the output. Called for one batch at a time. */
  run(rows: Values): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface ServeModelOptions {
  readonly name: string;
  /** Default: measured. */
  readonly batch?: number | undefined;
}

/** The input of every model of ours: bytes of 0–255, which it scales itself, so that nobody can scale them wrongly. */
export const imagesInput = ({ size, channels = 3 }: Preprocessing): TensorSpec => ({
  name: 'images',
  datatype: 'UINT8',
  shape: [...size, channels],
});

/** Values in one row. */
export const rowLength = ({ shape }: TensorSpec): number =>
  shape.reduce((product, size) => product * size, 1);

/** The protocol has versions of models; ours have one. */
export const modelVersion = '1';
