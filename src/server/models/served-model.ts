/** The server's interface to a model, whatever runs it: rows of values in, rows of values out. */
import type { Preprocessing } from '../../images/preprocess.ts';
import { syntheticImages } from '../../images/synthetic-images.ts';

/** The Open Inference Protocol datatypes that our networks use. */
export type Datatype = 'UINT8' | 'FP32';

/** Values of one or more rows, in C order. */
export type Values = Uint8Array | Float32Array;

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** Of one row, without the batch. */
  readonly shape: readonly number[];
}

/** What the server needs of a model, whatever computes it. */
export interface ServedModel {
  /** Used in URLs: letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** Runtime, as in the protocol's metadata: `inception_libtorch`, `onnxruntime_onnx`. */
  readonly platform: string;
  /** What computes it and why, for the log: `libtorch 1.13.1, bfloat16 (installed)`. */
  readonly runtime?: string;
  /** Where it was loaded from, for the log. */
  readonly source: string;
  /** Label of every output; empty for a network without a classifier. */
  readonly classes: readonly string[];
  /** Identifiers of the classes in their data set. */
  readonly classIds?: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly input: TensorSpec;
  readonly output: TensorSpec;
  /** Maximum rows in a batch. */
  readonly batch: number;
  /** Maps consecutive input rows to as many output rows. Called for one batch at a time. */
  run(rows: Values): Promise<Float32Array>;
  /** False while what computes it is late or being replaced. Default: always true. */
  readonly healthy?: () => boolean;
  /** Calls back with the reason whenever what computes it was replaced. */
  readonly onReplaced?: (listener: (reason: string) => void) => void;
  close(): Promise<void>;
}

export interface ServeModelOptions {
  readonly name: string;
  /** Default: measured. */
  readonly batch?: number | undefined;
}

/** Every model takes bytes of 0–255 and scales them itself, so that clients cannot scale them wrongly. */
export const imagesInput = ({ size, channels = 3 }: Preprocessing): TensorSpec => ({
  name: 'images',
  datatype: 'UINT8',
  shape: [...size, channels],
});

/** Batches of one synthetic image, to measure a model with: for a black one a network may have no number. */
export function syntheticBatches(preprocessing: Preprocessing): (count: number) => Uint8Array {
  const image = syntheticImages(preprocessing, 1);
  return (count) => {
    const images = new Uint8Array(count * image.length);
    for (let row = 0; row < count; row++) images.set(image, row * image.length);
    return images;
  };
}

/** Number of values in a row. */
export const rowLength = ({ shape }: TensorSpec): number =>
  shape.reduce((product, size) => product * size, 1);

/** The protocol has model versions; ours have only one. */
export const modelVersion = '1';
