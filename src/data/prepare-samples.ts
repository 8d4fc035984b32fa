/**
 * Images become the pixels of a batch: decoded, cropped, distorted. By the addon for images, on threads of its own, where there is one;
 * what it does not take, and everything where it is missing, is decoded by sharp and distorted here, with the same bits.
 */
import pLimit from 'p-limit';
import {
  type AugmentOptions,
  changePixels,
  type Distortion,
  distort,
  drawDistortion,
} from '../images/augment.ts';
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
  /** Decodes it, where the addon does not; gives no promise for pixels that are in memory. @throws DataError if it cannot be used */
  readonly decode: () => Image | Promise<Image>;
  /** What its distortion is drawn from; that of the batch's other images, and the order in which they are ready, do not matter. */
  readonly random: Random;
  /** Its place in the batch. */
  readonly slot: number;
}

export interface SampleOptions {
  /** [n, height, width, 3] */
  readonly target: Uint8Array;
  readonly size: readonly [height: number, width: number];
  readonly augmentation: Augmentation;
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
  options: SampleOptions,
): Promise<FailedSample<S>[]> {
  const { addon = imageAddon() ?? null, augmentation, size, signal } = options;
  const drawn = samples.map((sample) => ({ sample, distortion: draw(sample, { augmentation, size }) }));
  const rest = addon ? await prepareNatively(addon, drawn, options) : drawn;
  const failed: FailedSample<S>[] = [];
  const inMemory: Drawn<S>[] = [];
  const decode = async (each: Drawn<S>): Promise<void> => {
    signal?.throwIfAborted();
    let image: Image | Promise<Image>;
    try {
      image = each.sample.decode();
      if (!(image instanceof Promise)) {
        inMemory.push({ ...each, image });
        return;
      }
      image = await image;
    } catch (error) {
      failed.push({ sample: each.sample, error });
      return;
    }
    // At once: decoded images do not wait for each other.
    await prepareDecoded(addon, [{ ...each, image }], options);
  };
  await Promise.all(rest.map((each) => limit(decode, each)));
  await prepareDecoded(addon, inMemory, options);
  return failed;
}

/** Of images as pixels. */
async function prepareDecoded(
  addon: ImageAddon | null,
  drawn: readonly Drawn[],
  options: SampleOptions,
): Promise<void> {
  const rest = addon && drawn.length > 0 ? await prepareNatively(addon, drawn, options) : drawn;
  const { size, target } = options;
  for (const { sample, distortion, image } of rest)
    distort(image as Image, { distortion, size }, target, sample.slot * size[0] * size[1] * 3);
}

const draw = ({ random }: Sample, options: Omit<AugmentOptions, 'random'>): Distortion =>
  drawDistortion({ ...options, random });

interface Drawn<S extends Sample = Sample> {
  readonly sample: S;
  readonly distortion: Distortion;
  /** Where it has been decoded. */
  readonly image?: Image;
}

/** Returns those that the addon did not take. */
async function prepareNatively<S extends Sample>(
  addon: ImageAddon,
  drawn: readonly Drawn<S>[],
  { target, size: [height, width], signal }: SampleOptions,
): Promise<Drawn<S>[]> {
  const sources = drawn.map(nativeSource);
  const tried = drawn.filter((_, index) => sources[index] !== undefined);
  const records = new Float64Array(tried.length * recordValues);
  tried.forEach(({ distortion }, index) => {
    writeRecord(distortion, records, index * recordValues);
  });
  const slots = Int32Array.from(tried, ({ sample }) => sample.slot);
  const taken = new Uint8Array(tried.length);
  const closed = new Uint8Array(1);
  const close = () => closed.fill(1);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', close, { once: true });
  try {
    const given = sources.filter((source) => source !== undefined);
    await addon.prepare(given, { records, slots, taken, target, height, width, closed });
  } finally {
    signal?.removeEventListener('abort', close);
  }
  signal?.throwIfAborted();
  const bytes = height * width * 3;
  tried.forEach(({ sample: { slot }, distortion }, index) => {
    if (taken[index] === 1 && isContinued(distortion))
      changePixels(
        { pixels: target.subarray(slot * bytes, (slot + 1) * bytes), size: [height, width] },
        distortion,
      );
  });
  const untaken = new Set(tried.filter((_, index) => taken[index] === 0));
  return drawn.filter((each, index) => sources[index] === undefined || untaken.has(each));
}

/** What the addon reads, or undefined for what it cannot decode. */
function nativeSource({ sample, image }: Drawn): NativeSource | undefined {
  if (image) {
    const { data, height, width, channels } = image;
    return { bytes: data, height, width, channels };
  }
  const { source } = sample;
  return source !== undefined && isWorthTrying(source) ? source : undefined;
}
