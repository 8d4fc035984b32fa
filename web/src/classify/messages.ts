/** Messages between the page and its worker. */
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
  /**
   * How much each part of the last image contributes to a label: by covering `cells` squares per side, or by the class activation
   * of the last grid.
   */
  | { readonly kind: 'saliency'; readonly label: number; readonly cells: number | 'activation' }
  | { readonly kind: 'stop saliency' }
  /** The channels of a part for the last image, or the filters of the first convolution. */
  | { readonly kind: 'inside'; readonly part: string }
  /** The images in which a channel's mean is largest. */
  | {
      readonly kind: 'strongest';
      readonly part: string;
      readonly channel: number;
      readonly files: readonly File[];
    };

/** Instead of a part's name: the weights of the first convolution. */
export const firstFilters = 'the filters of the first convolution';

/** Small images in rows: the channels of a part, or filters. */
export interface Inside {
  readonly part: string;
  readonly height: number;
  readonly width: number;
  /** Values for each pixel: 3 for filters of colours, otherwise 1. */
  readonly colours: number;
  /** [images, height, width, colours] */
  readonly values: Float32Array;
  readonly elapsedMs: number;
}

/** The images in which a channel is strongest, of those that were seen so far. */
export interface Strongest {
  readonly part: string;
  readonly channel: number;
  readonly done: number;
  readonly of: number;
  /** Names of files that cannot be decoded. */
  readonly broken: readonly string[];
  /** Strongest first: the place among the files, and the channel's mean over its grid. */
  readonly found: readonly { readonly index: number; readonly mean: number }[];
}

/** What the model runs on, shown on the page. */
export interface Backend {
  readonly name: 'WebGPU' | 'WebAssembly';
  readonly threads: number;
  /** Why nothing faster is used. */
  readonly reason: string | undefined;
}

export interface LoadedModel {
  readonly name: string;
  readonly bytes: number;
  readonly description: ModelDescription;
  /** `float32`, `float16` or `int8`, if the file states it. */
  readonly precision: string | undefined;
  readonly backend: Backend;
  /** Whether its classifier reads the mean of a grid, so that its row of a label is a map. */
  readonly activates: boolean;
  /** Parts whose channels can be looked at, in the network's order. */
  readonly parts: readonly string[];
  /** Whether it came from the browser's cache. */
  readonly cached: boolean;
  readonly checked: boolean;
  readonly loadMs: number;
}

export interface Result {
  /** Most probable first. */
  readonly top: readonly { readonly label: number; readonly probability: number }[];
  /** The preprocessed input as RGBA pixels. */
  readonly input: { readonly width: number; readonly height: number; readonly pixels: Uint8ClampedArray };
  /** Size of the original image. */
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
  /**
   * `values`, row by row, of which the first `done` are computed: how much covering a cell lowers the label's probability, or how much
   * the cell adds to its logit.
   */
  | {
      readonly kind: 'saliency';
      readonly by: 'covering' | 'activation';
      readonly label: number;
      /** Columns. */
      readonly cells: number;
      readonly done: number;
      readonly values: Float32Array;
      readonly elapsedMs: number;
    }
  | { readonly kind: 'inside'; readonly inside: Inside }
  | { readonly kind: 'strongest'; readonly strongest: Strongest }
  | { readonly kind: 'failed'; readonly during: Request['kind']; readonly message: string };
