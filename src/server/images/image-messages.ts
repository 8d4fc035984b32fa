/** What the server and the processes that decode for it say to each other. */
import type { Preprocessing } from '../../images/preprocess.ts';

export interface ImageJob {
  readonly bytes: Uint8Array;
  readonly preprocessing: Preprocessing;
  /** What errors call the image: `cat.jpg`, `image 2`. */
  readonly name: string;
}

export type ImageAnswer =
  | { readonly kind: 'ready' }
  /** Bytes of the network's size, [height, width, channels]. */
  | { readonly kind: 'image'; readonly data: Uint8Array }
  /** The image is at fault. */
  | { readonly kind: 'broken'; readonly message: string };
