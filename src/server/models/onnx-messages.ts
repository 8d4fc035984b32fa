/** What the server and the process that runs an ONNX file for it say to each other. */

import type { ClassifierOptions } from '../../classifier/classifier.ts';
import type { Preprocessing } from '../../images/preprocess.ts';

/** The first message: what to open. */
export interface OnnxOpening {
  readonly path: string;
  readonly options: ClassifierOptions;
  /** Rows of a batch; default: measured there. */
  readonly batch?: number | undefined;
}

export interface OnnxFacts {
  readonly classes: readonly string[];
  readonly classIds?: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly batch: number;
  /** Values of one row of the output. */
  readonly outputLength: number;
}

/** Every later message is the bytes of a batch, answered by `rows` or `failed`. */
export type OnnxAnswer =
  | { readonly kind: 'opened'; readonly facts: OnnxFacts }
  | { readonly kind: 'rows'; readonly data: Float32Array }
  /** `refused`: the file or the options are at fault, and the message is for whoever started the server. */
  | { readonly kind: 'failed'; readonly message: string; readonly refused: boolean };
