/**
 * Images become the pixels of a batch: decoded, cropped, distorted. By the addon for images, on threads of its own, where there is one;
 * what it does not take, and everything where it is missing, is decoded by sharp and distorted here, with the same bits.
 */
import pLimit from 'p-limit';
import { changePixels, type Distortion, distort, distortionsOf } from '../images/augment.ts';
import type { Augmentation } from '../images/augmentation.ts';
import type { Image } from '../images/image.ts';
import type { Random } from '../random.ts';
import type { EncodedImage } from './dataset.ts';
import { isContinued, recordValues, writeRecord } from './native/distortion-record.ts';
import { type ImageAddon, imageAddon, type NativeSource } from './native/image-addon.ts';
import { isWorthTrying } from './native/worth-trying.ts';

/** An image of a batch. */
export interface Sample {
  /** Its bytes, or where they lie; undefined for what is not encoded. */
  readonly source: EncodedImage | undefined;
  /** Its place in the batch. */
  readonly slot: number;
}

export interface SampleOptions<S extends Sample = Sample> {
  /** [n, height, width, 3] */
  readonly target: Uint8Array;
  readonly size: readonly [height: number, width: number];
  readonly augmentation: Augmentation;
  /** Decodes an image that the addon does not; gives no promise for pixels that are in memory. @throws DataError if it cannot be used */
  readonly decode: (sample: S) => Image | Promise<Image>;
  /**
   * What an image's distortion is drawn from, the same stream in every call; that of the batch's other images, and the order in which
   * they are ready, do not matter.
   */
  readonly randomOf: (sample: S) => Random;
  readonly signal?: AbortSignal;
  /** Default: that of this installation; null for none. */
  readonly addon?: ImageAddon | null | undefined;
}

/** A sample that could not be decoded, and why. */
export interface FailedSample<S extends Sample = Sample> {
  readonly sample: S;
  readonly error: unknown;
}

/** Images that sharp decodes at the same time, of all batches: keeps its threads busy and bounds the decoded images in memory. */
const limit = pLimit(4);

/** Writes the samples into their slots; those that cannot be decoded are returned. @throws the signal's reason */
export async function prepareSamples<S extends Sample>(
  samples: readonly S[],
  options: SampleOptions<S>,
): Promise<FailedSample<S>[]> {
  const { addon = imageAddon() ?? null, signal, decode } = options;
  const preparing = { options, addon, draw: distortionsOf(options) };
  const rest = await prepareNatively(samples, preparing, ({ source }) =>
    source !== undefined && isWorthTrying(source) ? encodedSource(source) : undefined,
  );
  if (rest.length === 0) return [];
  const failed: FailedSample<S>[] = [];
  const inMemory = new Map<S, Image>();
  const prepare = async (sample: S): Promise<void> => {
    signal?.throwIfAborted();
    let image: Image | Promise<Image>;
    try {
      image = decode(sample);
      if (!(image instanceof Promise)) {
        inMemory.set(sample, image);
        return;
      }
      image = await image;
    } catch (error) {
      failed.push({ sample, error });
      return;
    }
    // At once: decoded images do not wait for each other.
    await prepareDecoded(new Map([[sample, image]]), preparing);
  };
  await Promise.all(rest.map((sample) => limit(prepare, sample)));
  await prepareDecoded(inMemory, preparing);
  return failed;
}

interface Preparing<S extends Sample> {
  readonly options: SampleOptions<S>;
  readonly addon: ImageAddon | null;
  readonly draw: (random: Random) => Distortion;
}

/** Of images as pixels. */
async function prepareDecoded<S extends Sample>(
  images: ReadonlyMap<S, Image>,
  preparing: Preparing<S>,
): Promise<void> {
  const imageOf = (sample: S) => images.get(sample) as Image;
  const rest = await prepareNatively([...images.keys()], preparing, (sample) => {
    const { data, height, width, channels } = imageOf(sample);
    return { bytes: data, height, width, channels };
  });
  const { size, target, randomOf } = preparing.options;
  for (const sample of rest)
    distort(
      imageOf(sample),
      { distortion: preparing.draw(randomOf(sample)), size },
      target,
      sample.slot * size[0] * size[1] * 3,
    );
}

/**
 * Returns those that the addon did not take, or that have no source for it. What is drawn is not kept meanwhile: objects that live
 * as long as a batch cost the garbage collector more than drawing again the few that come back.
 */
async function prepareNatively<S extends Sample>(
  samples: readonly S[],
  { addon, draw, options }: Preparing<S>,
  sourceOf: (sample: S) => NativeSource | undefined,
): Promise<readonly S[]> {
  if (addon === null || samples.length === 0) return samples;
  const { randomOf, target, size, signal } = options;
  const [height, width] = size;
  const sources: NativeSource[] = [];
  const tried: S[] = [];
  const rest: S[] = [];
  for (const sample of samples) {
    const source = sourceOf(sample);
    if (source === undefined) {
      rest.push(sample);
      continue;
    }
    sources.push(source);
    tried.push(sample);
  }
  const records = new Float64Array(tried.length * recordValues);
  const slots = new Int32Array(tried.length);
  const continued: { readonly index: number; readonly distortion: Distortion }[] = [];
  // Counted, not by entries(): these are the main thread's work for each image.
  for (let index = 0; index < tried.length; index++) {
    const sample = tried[index] as S;
    const distortion = draw(randomOf(sample));
    writeRecord(distortion, records, index * recordValues);
    slots[index] = sample.slot;
    if (isContinued(distortion)) continued.push({ index, distortion });
  }
  const taken = new Uint8Array(tried.length);
  const closed = new Uint8Array(1);
  const close = () => closed.fill(1);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', close, { once: true });
  try {
    await addon.prepare(sources, { records, slots, taken, target, height, width, closed });
  } finally {
    signal?.removeEventListener('abort', close);
  }
  signal?.throwIfAborted();
  const bytes = height * width * 3;
  for (const { index, distortion } of continued) {
    const start = (slots[index] as number) * bytes;
    if (taken[index] === 1)
      changePixels({ pixels: target.subarray(start, start + bytes), size: [height, width] }, distortion);
  }
  for (let index = taken.indexOf(0); index >= 0; index = taken.indexOf(0, index + 1))
    rest.push(tried[index] as S);
  return rest;
}

/** A whole file is its name alone, which costs the main thread least. */
const encodedSource = (source: EncodedImage): NativeSource =>
  'file' in source && source.offset === undefined ? source.file : source;
