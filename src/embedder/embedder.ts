/** The library's embeddings: images as vectors, and the images that are most similar to one. */
import { resolve } from 'node:path';
import type { Precision } from '../compile/options.ts';
import { DataError } from '../data/data-error.ts';
import { findImages } from '../data/folders/find-images.ts';
import { namedImages } from '../data/folders/named-images.ts';
import type { Device, Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import { defaultFeatureCache } from '../features/feature-cache.ts';
import { classifierInput } from '../features/parts.ts';
import { checkEmbeddingsFile, writeEmbeddings } from '../features/write-embeddings.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Notices } from '../model/model-file.ts';
import type { OpenFeatures } from './open-features.ts';

/** How a model is opened for embeddings. */
export interface EmbedderOptions extends Notices {
  /** `classifier`, what the classifier reads (default), or a part of the network, as `inceptionB`, whose output is averaged over its grid. */
  readonly features?: string | undefined;
  /** Where features are kept for the next time. Default: in the user's cache folder; `false` keeps none. */
  readonly cache?: string | false | undefined;
  /** Images per batch. Default 16. */
  readonly batch?: number | undefined;
  readonly device?: Device | 'auto' | undefined;
  /** Default `auto`: bfloat16 if the hardware supports it. */
  readonly precision?: Precision | 'auto' | undefined;
  readonly threads?: number | undefined;
  /** An engine to use; it stays open. Default: a new one. */
  readonly engine?: Engine | undefined;
}

/** How a pass over images is followed and ended. */
export interface EmbeddingOptions {
  /** Called for every image that is computed, not for those that were kept. */
  readonly onImage?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  /** Called for an image that cannot be decoded, with the reason. */
  readonly onBroken?: ((file: string, reason: string) => void) | undefined;
  /** Aborting keeps what has been computed, and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Vectors of images, a row for each. */
export interface EmbeddedImages {
  /** The image of each row; one that cannot be decoded has none. */
  readonly files: readonly string[];
  /** [files, length] */
  readonly values: Float32Array;
  readonly length: number;
  readonly broken: readonly { readonly file: string; readonly reason: string }[];
  /** How many were kept from before, and how many were computed, in how many seconds. */
  readonly cached: number;
  readonly computed: number;
  readonly seconds: number;
}

/** An image with its similarity to another one. */
export interface SimilarImage {
  readonly file: string;
  /** Cosine of the two vectors, 1 for equal directions. */
  readonly similarity: number;
}

/** Which images are searched, and how many are wanted. */
export interface SimilarOptions extends EmbeddingOptions {
  /** Files, folders and patterns. */
  readonly among: readonly string[];
  /** Default 10. */
  readonly top?: number | undefined;
}

/** A model that is open for embeddings. */
export interface Embedder {
  /** What was loaded: `runs/photos/model.safetensors`, `photos.onnx`. */
  readonly source: string;
  readonly preprocessing: Preprocessing;
  /** `classifier`, or the name of a part. */
  readonly features: string;
  /** Values for an image. */
  readonly length: number;
  readonly precision: string;
  /**
   * The vectors of files, folders and patterns (`photos/**\/*.jpg`), each image once; with `output` also as a `.safetensors` or
   * `.npy` file, as `inception embed` writes it. All of them are in memory.
   */
  embedFiles(
    images: readonly string[],
    options?: EmbeddingOptions & { readonly output?: string | undefined },
  ): Promise<EmbeddedImages>;
  /** The images that are most similar to one, without itself, the most similar first. @throws DataError where there is nothing to compare. */
  similar(image: string, options: SimilarOptions): Promise<readonly SimilarImage[]>;
  /** Frees the memory. */
  close(): Promise<void>;
  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens any model with weights, or an `.onnx` file that was exported with `features`, for embeddings.
 *
 * ```ts
 * await using embedder = await loadEmbedder('runs/photos');
 * const { files, values, length } = await embedder.embedFiles(['holiday'], { output: 'holiday.npy' });
 * const [nearest] = await embedder.similar('beach.jpg', { among: ['holiday'] });
 * ```
 *
 * @throws UsageError for a part that the network does not have; DeployError for an .onnx file without features; EngineUnavailableError
 * for weights where libtorch is not installed; as `loadModel` otherwise.
 */
export async function loadEmbedder(model: string, options: EmbedderOptions = {}): Promise<Embedder> {
  // Loads the compiler, libtorch or ONNX Runtime on first use.
  const { openFeatures } = await import('./open-features.ts');
  const { features = classifierInput, device = 'auto', precision = 'auto', ...rest } = options;
  const open = await openFeatures(model, { ...rest, features, device, precision });
  return embedderOf(open, options);
}

function embedderOf(
  { model, part, close }: OpenFeatures,
  { cache = defaultFeatureCache(), batch, onNotice }: EmbedderOptions,
): Embedder {
  const embed = async (
    names: readonly string[],
    { onImage, onBroken, signal }: EmbeddingOptions,
  ): Promise<EmbeddedImages> => {
    const { featuresOf } = await import('../features/compute-features.ts');
    const found = new Map((await findImages(names, { onNotice })).map((image) => [image.file, image]));
    const broken: { file: string; reason: string }[] = [];
    const skip = (file: string, reason: string) => {
      broken.push({ file, reason });
      onBroken?.(file, reason);
    };
    for (const { file, error } of found.values()) if (error !== undefined) skip(file, error);
    const usable = [...found.values()].filter(({ error }) => error === undefined);
    const dataset = namedImages(usable);
    const table = await featuresOf(dataset, {
      model,
      parts: [part],
      ...(batch !== undefined && { batch }),
      ...(cache !== false && { cache }),
      onBroken: (index, { message }) => skip(dataset.nameOf(index), message),
      ...(onImage && { onImage }),
      onNotice,
      ...(signal && { signal }),
    });
    const { indices, cached, computed, seconds } = table;
    return {
      files: indices.map((index) => dataset.nameOf(index)),
      values: table.parts[0]?.values ?? new Float32Array(),
      length: part.length,
      broken,
      cached,
      computed,
      seconds,
    };
  };
  return {
    source: model.source,
    preprocessing: model.description.preprocessing,
    features: part.name,
    length: part.length,
    precision: model.precision,
    embedFiles: async (images, { output, ...options } = {}) => {
      if (output !== undefined) checkEmbeddingsFile(output);
      const embedded = await embed(images, options);
      const { source, precision } = model;
      const description = { model: source, features: part.name, precision };
      if (output !== undefined) await writeEmbeddings(output, { ...embedded, description });
      return embedded;
    },
    similar: async (image, { among, top = 10, ...options }) => {
      if (!Number.isInteger(top) || top < 1)
        throw new UsageError(`top: expected a whole number of at least 1, received ${top}`);
      const { bySimilarity } = await import('./nearest.ts');
      // One that cannot be decoded is the error, not a remark besides.
      const query = await embed([image], { ...options, onBroken: undefined });
      if (query.files.length !== 1)
        throw new DataError(
          query.broken[0]?.reason ?? `${image}: expected one image, received ${query.files.length}`,
        );
      const reference = await embed(among, options);
      const own = resolve(query.files[0] as string);
      const others = bySimilarity(query.values, reference.values)
        .map(({ row, similarity }) => ({ file: reference.files[row] as string, similarity }))
        .filter(({ file }) => resolve(file) !== own);
      if (others.length === 0) throw new DataError(`${among.join(', ')}: no images to compare with ${image}`);
      return others.slice(0, top);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
