/** Messages between the server and its decoder processes. */
import type { Preprocessing } from '../../images/preprocess.ts';

export interface ImageJob {
  readonly bytes: Uint8Array;
  readonly preprocessing: Preprocessing;
  /** Name of the image in errors: `cat.jpg`, `image 2`. */
  readonly name: string;
}

export type ImageAnswer =
  | { readonly kind: 'ready' }
  /** Bytes at the network's input size, [height, width, channels]. */
  | { readonly kind: 'image'; readonly data: Uint8Array }
  /** The image cannot be decoded. */
  | { readonly kind: 'broken'; readonly message: string };
