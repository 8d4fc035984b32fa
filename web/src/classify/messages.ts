/** What the page and its worker say to one another. */
import type { ModelDescription } from '../../../src/model/description.ts';

/** Where a model comes from. */
export type ModelSource =
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly name: string;
      readonly bytes: number;
      readonly sha256: string;
    }
  | { readonly kind: 'file'; readonly file: File };

export type Request =
  | { readonly kind: 'load'; readonly source: ModelSource }
  | { readonly kind: 'classify'; readonly image: Blob }
  /** How much each part of the last image matters for one label; `cells` squares along each side. */
  | { readonly kind: 'saliency'; readonly label: number; readonly cells: number }
  | { readonly kind: 'stop saliency' };

/** What computes: said by the page, because nobody can see it otherwise. */
export interface Backend {
  readonly name: 'WebGPU' | 'WebAssembly';
  readonly threads: number;
  /** Why it is not more. */
  readonly reason: string | undefined;
}

export interface LoadedModel {
  readonly name: string;
  readonly bytes: number;
  readonly description: ModelDescription;
  /** `float32`, `float16`, `int8`, where the file says it. */
  readonly precision: string | undefined;
  readonly backend: Backend;
  /** Whether it came out of the browser's cache. */
  readonly cached: boolean;
  readonly checked: boolean;
  readonly loadMs: number;
}

export interface Result {
  /** Most probable first. */
  readonly top: readonly { readonly label: number; readonly probability: number }[];
  /** What the network saw: RGBA of its input's size. */
  readonly input: { readonly width: number; readonly height: number; readonly pixels: Uint8ClampedArray };
  /** The image's own size. */
  readonly image: { readonly width: number; readonly height: number };
  readonly decodeMs: number;
  readonly preprocessMs: number;
  readonly runMs: number;
}

export type Event =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'starting' }
  | { readonly kind: 'loaded'; readonly model: LoadedModel }
  | { readonly kind: 'result'; readonly result: Result }
  /** `values`: by how much covering a cell lowers the label's probability; rows of `cells`, as far as `done` says. */
  | {
      readonly kind: 'saliency';
      readonly label: number;
      readonly cells: number;
      readonly done: number;
      readonly values: Float32Array;
      readonly elapsedMs: number;
    }
  | { readonly kind: 'failed'; readonly during: Request['kind']; readonly message: string };
