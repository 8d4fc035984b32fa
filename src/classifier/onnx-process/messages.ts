/** Messages between a process and the one that runs an ONNX model for it. */
import type { ModelOverrides, PredictingModel } from '../predicting-model.ts';

/** The first message: what to open. */
export interface OpenOnnx {
  readonly path: string;
  readonly overrides?: ModelOverrides | undefined;
  readonly threads?: number | undefined;
  /** Of weights; see `openByOnnx`. */
  readonly precision?: 'float32' | 'int8' | undefined;
  /** The process ends itself when it takes more. */
  readonly memoryBytes?: number | undefined;
}

export interface OnnxFacts extends Pick<PredictingModel, 'description' | 'source' | 'precision'> {
  /** Values in one row of the output. */
  readonly outputs: number;
  /** Time of the first image, which includes what is done only once. */
  readonly firstImageMs: number;
  readonly notices: readonly string[];
}

/** Images as bytes [n, height, width, channels], and which of the predictor's methods they are for. */
export interface OnnxJob {
  readonly images: Uint8Array;
  readonly wanted: 'predict' | 'outputs';
}
