/** What the server and the processes that decode for it say to each other. */
import type { Preprocessing } from '../data/preprocess.ts';

export interface PictureJob {
  readonly bytes: Uint8Array;
  readonly preprocessing: Preprocessing;
  /** What errors call the picture: `cat.jpg`, `image 2`. */
  readonly name: string;
}

export type PictureAnswer =
  | { readonly kind: 'ready' }
  /** Bytes of the network's size, [height, width, channels]. */
  | { readonly kind: 'picture'; readonly data: Uint8Array }
  /** The picture is at fault. */
  | { readonly kind: 'broken'; readonly message: string };
