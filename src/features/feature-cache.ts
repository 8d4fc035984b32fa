/**
 * Features on disk, so that an image passes through a network once:
 *
 *     CACHE/KEY/PART/SHARD.safetensors    `features`, float32 [images, length]; the metadata name the images
 *
 * KEY stands for everything that the numbers depend on besides the image: the weights before the classifier, the preprocessing and
 * the precision. An image is known by its file's path, size and time of change, as `make` and Git know files: reading every file
 * again to hash its content would cost as much as decoding it. Shards are only ever added, under the hash of what they hold, so that
 * commands may share a cache; the folder may be deleted at any time.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { WeightsError } from '../weights/tensor-file.ts';
import type { Part } from './parts.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Beside the caches of other programs: in XDG_CACHE_HOME, by default `~/.cache`. */
export const defaultFeatureCache = ({ XDG_CACHE_HOME }: Environment = process.env): string =>
  join(resolve(XDG_CACHE_HOME || join(homedir(), '.cache')), 'inception-networks', 'features');

/** Everything that features depend on besides the image and the part. */
export interface FeatureKey {
  readonly featuresSha256: string;
  readonly preprocessing: Preprocessing;
  readonly precision: string;
}

const hash = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

export const keyOf = ({ featuresSha256, preprocessing, precision }: FeatureKey): string =>
  hash(JSON.stringify([featuresSha256, Object.entries(preprocessing).sort(), precision])).slice(0, 32);

/**
 * What an image is known by: its file as it is now, or, where images are not files (Fashion-MNIST's are all in one), its pixels.
 * An image that cannot be read is unknown.
 */
export async function imageKey(dataset: Dataset, index: number): Promise<string | undefined> {
  const encoded = await dataset.encoded?.(index);
  const stored = encoded && 'file' in encoded ? encoded : undefined;
  const file = resolve(stored?.file ?? dataset.nameOf(index));
  const info = await stat(file).catch(() => undefined);
  // A member of an archive: the archive as it is now, and the place in it.
  const place = stored?.offset === undefined ? '' : `\0${stored.offset}\0${stored.length}`;
  if (info?.isFile()) return `${file}\0${info.size}\0${info.mtimeMs}${place}`;
  try {
    const { height, width, channels, data } = await dataset.image(index);
    return `${height}x${width}x${channels}\0${hash(data)}`;
  } catch {
    return undefined;
  }
}

/** The features of one part in the cache. */
export class PartCache {
  readonly #folder: string;
  readonly #part: Part;
  /** The shard of each image and its row there. */
  readonly #rows = new Map<string, { readonly path: string; readonly row: number }>();

  private constructor(folder: string, part: Part) {
    this.#folder = folder;
    this.#part = part;
  }

  /** Lists what is there; a shard that cannot be read counts as absent. */
  static async open(
    cache: string,
    { key, part }: { readonly key: string; readonly part: Part },
  ): Promise<PartCache> {
    const opened = new PartCache(join(cache, key, part.endpoint.replaceAll('/', '.')), part);
    const names = await readdir(opened.#folder).catch(() => []);
    for (const name of names.filter((each) => each.endsWith('.safetensors'))) {
      const path = join(opened.#folder, name);
      const images = await imagesIn(path, part.length).catch(nothingIfBroken);
      images?.forEach((image, row) => {
        opened.#rows.set(image, { path, row });
      });
    }
    return opened;
  }

  has(image: string): boolean {
    return this.#rows.has(image);
  }

  /** Copies the features of images that are there into the rows of `target`. */
  async read(
    images: readonly { readonly image: string; readonly row: number }[],
    target: Float32Array,
  ): Promise<void> {
    const { length } = this.#part;
    const byShard = new Map<string, { from: number; row: number }[]>();
    for (const { image, row } of images) {
      const found = this.#rows.get(image);
      if (!found) continue;
      const wanted = byShard.get(found.path) ?? [];
      wanted.push({ from: found.row * length, row });
      byShard.set(found.path, wanted);
    }
    for (const [path, wanted] of byShard) {
      const file = await openSafetensors(path);
      try {
        const values = (await file.read('features')).data as Float32Array;
        for (const { from, row } of wanted) target.set(values.subarray(from, from + length), row * length);
      } finally {
        await file.close();
      }
    }
  }

  /** Adds a shard. */
  async write(images: readonly string[], values: Float32Array): Promise<void> {
    if (images.length === 0) return;
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${hash(images.join('\n')).slice(0, 32)}.safetensors`);
    await writeSafetensors(path, {
      tensors: [
        { name: 'features', dtype: 'F32', shape: [images.length, this.#part.length], read: () => values },
      ],
      metadata: { part: this.#part.endpoint, images: JSON.stringify(images) },
      checksums: true,
    });
  }
}

/** The images of a shard, in the order of its rows. */
async function imagesIn(path: string, length: number): Promise<readonly string[] | undefined> {
  const file = await openSafetensors(path);
  try {
    const images: unknown = JSON.parse(file.metadata.get('images') ?? '[]');
    const info = file.tensors.get('features');
    if (!Array.isArray(images) || !images.every((image) => typeof image === 'string')) return undefined;
    if (info?.dtype !== 'F32' || info.shape.join() !== [images.length, length].join()) return undefined;
    return images;
  } finally {
    await file.close();
  }
}

/** A cut file is computed again; that the disk fails is not hidden. */
function nothingIfBroken(error: unknown): undefined {
  if (error instanceof WeightsError || error instanceof SyntaxError) return undefined;
  throw error;
}
