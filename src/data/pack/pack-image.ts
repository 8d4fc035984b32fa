/** An image as it goes into a pack: its bytes as they are, or smaller. */
import { DataError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { decodeImage, encodePng, loadSharp } from '../decode.ts';
import { readImageFile, readMember } from '../read-image-file.ts';

export interface PackedImage {
  readonly bytes: Uint8Array;
  /** `jpg`, by the bytes. */
  readonly ending: string;
  /** Whether it was made smaller and encoded anew. */
  readonly reencoded: boolean;
}

export interface Shrinking {
  /** Pixels of the shorter side; smaller images stay as they are. */
  readonly shorterSide: number;
  /** Of JPEG, WebP and AVIF, 1 to 100. */
  readonly quality: number;
}

const endings: Readonly<Record<string, string>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  gif: 'gif',
  tiff: 'tif',
  heif: 'avif',
};

/** @throws DataError for an image that cannot be decoded; MissingImageError, StorageError */
export async function packImage(
  dataset: Dataset,
  index: number,
  shrinking: Shrinking | undefined,
): Promise<PackedImage> {
  const bytes = await encodedBytes(dataset, index);
  const name = dataset.nameOf(index);
  // Decoded in any case: what nobody can read does not belong into a pack.
  const { height, width } = await decodeImage(bytes, { name });
  const load = await loadSharp();
  const { format } = await load(bytes, { pages: 1 }).metadata();
  const ending = endings[format];
  if (ending === undefined) throw new DataError(`${name}: has the format ${format}, which no shard holds`);
  if (!shrinking || Math.min(height, width) <= shrinking.shorterSide)
    return { bytes, ending, reencoded: false };
  const { shorterSide, quality } = shrinking;
  const resized = load(bytes, { pages: 1 })
    .autoOrient()
    .resize(height < width ? { height: shorterSide } : { width: shorterSide })
    .toColourspace('srgb');
  const lossy = { quality };
  const options = { jpeg: lossy, webp: lossy, heif: { ...lossy, compression: 'av1' as const } };
  const smaller = await resized.toFormat(format as 'jpeg', options[format as 'jpeg'] ?? {}).toBuffer();
  return { bytes: smaller, ending, reencoded: true };
}

async function encodedBytes(dataset: Dataset, index: number): Promise<Uint8Array> {
  const encoded = await dataset.encoded?.(index);
  // Images that are stored as pixels.
  if (!encoded) return encodePng(await dataset.image(index));
  if ('bytes' in encoded) return encoded.bytes;
  const { file, offset, length } = encoded;
  return offset === undefined || length === undefined
    ? readImageFile(file)
    : readMember({ file, offset, length });
}
