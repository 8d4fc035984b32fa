/** Messages between the page and the worker that sees the images and learns the classes. */
import type { PerceptualHash } from '../../../src/check/perceptual-hash.ts';
import type { LoadedModel, ModelSource } from '../classify/messages.ts';

export type Request =
  | { readonly kind: 'load'; readonly source: ModelSource }
  /** Decodes an image and computes its features, which stay in the worker. */
  | { readonly kind: 'see'; readonly id: number; readonly file: Blob }
  | {
      readonly kind: 'train';
      /** The number of the state of classes and images that is learnt from. */
      readonly revision: number;
      readonly classes: readonly string[];
      readonly images: readonly { readonly id: number; readonly label: number }[];
      /** Places in `images` of copies and look-alikes. */
      readonly groups: readonly (readonly number[])[];
    }
  | { readonly kind: 'try'; readonly image: Blob }
  /** Writes the model as an .onnx file. */
  | { readonly kind: 'write' };

/** What is known of an image once it was decoded. */
export interface Seen {
  readonly width: number;
  readonly height: number;
  /** SHA-256 of the file, in hexadecimal digits, where the browser gives it. */
  readonly digest: string | undefined;
  readonly hash: PerceptualHash;
  readonly thumbnail: Blob;
}

/** An image that the classifiers which have not seen it give another label. */
export interface Mistake {
  readonly id: number;
  readonly label: number;
  readonly predicted: number;
  readonly probability: number;
  /** Of the given label. */
  readonly labelProbability: number;
}

export interface Outcome {
  readonly revision: number;
  readonly classes: readonly string[];
  readonly images: number;
  /** Fraction of the judged images whose label is not the most probable one, each judged by classifiers that had not seen it. */
  readonly error: number;
  readonly folds: number;
  /** Images that could not be judged, since nothing else shows their class. */
  readonly notJudged: number;
  readonly confusion: readonly (readonly [label: number, predicted: number, images: number])[];
  /** The surest first. */
  readonly mistakes: readonly Mistake[];
  readonly trainMs: number;
}

export interface Guess {
  /** Of each class. */
  readonly probabilities: readonly number[];
  readonly elapsedMs: number;
}

export type Event =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'starting' }
  | { readonly kind: 'loaded'; readonly model: LoadedModel }
  | { readonly kind: 'seen'; readonly id: number; readonly seen: Seen; readonly elapsedMs: number }
  | { readonly kind: 'not seen'; readonly id: number; readonly problem: string }
  /** Strengths of regularisation that were tried. */
  | { readonly kind: 'training'; readonly tried: number; readonly of: number }
  | { readonly kind: 'trained'; readonly outcome: Outcome }
  | { readonly kind: 'guess'; readonly guess: Guess }
  | { readonly kind: 'written'; readonly file: Blob }
  | { readonly kind: 'failed'; readonly during: Request['kind']; readonly message: string };
