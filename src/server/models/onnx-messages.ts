/** Messages between the server and the process that runs an ONNX model for it. */

import type { ModelOverrides } from '../../classifier/predicting-model.ts';
import type { Preprocessing } from '../../images/preprocess.ts';

/** The first message: what to open. */
export interface OpenOnnx {
  readonly path: string;
  readonly overrides?: ModelOverrides | undefined;
  readonly threads?: number | undefined;
  /** Rows per batch; default: measured by the process. */
  readonly batch?: number | undefined;
}

export interface OnnxFacts {
  readonly classes: readonly string[];
  readonly classIds?: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly batch: number;
  /** Number of values in one row of the output. */
  readonly outputLength: number;
}

/** Every later message is the bytes of a batch, answered with `rows` or `failed`. */
export type OnnxReply =
  | { readonly kind: 'opened'; readonly facts: OnnxFacts }
  | { readonly kind: 'rows'; readonly data: Float32Array }
  /** `refused`: the file or the options are invalid; the message is shown to the user who started the server. */
  | { readonly kind: 'failed'; readonly message: string; readonly refused: boolean };
