/** Which images are the same file, byte for byte. Content is read only where it may be equal. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { MissingImageError } from '../data-error.ts';
import type { Dataset, EncodedImage } from '../dataset.ts';
import { readWithPatience } from '../read-image-file.ts';
import { groupsOf } from './groups-of.ts';

/** A property that identical images share; undefined for an image that cannot be read, which is like no other. */
export type Fingerprint = (index: number) => Promise<string | undefined>;

const readAtOnce = 16;

/**
 * For each of `length` images the first identical one, which may be itself. Fingerprints are taken in order, each only of images
 * that all before it have left together: the cheap ones come first.
 */
export async function firstIdentical(
  length: number,
  fingerprints: readonly Fingerprint[],
): Promise<Uint32Array> {
  let together: number[][] = [Array.from({ length }, (_, index) => index)];
  for (const fingerprint of fingerprints) {
    const asked = together.flat();
    const prints = await mapSome(asked, fingerprint);
    const printOf = new Map(asked.map((index, position) => [index, prints[position]]));
    together = together.flatMap((group) => groupsOf(group, (index) => printOf.get(index)));
  }
  const first = Uint32Array.from({ length }, (_, index) => index);
  for (const group of together) for (const index of group) first[index] = group[0] as number;
  return first;
}

/** Maps with a few at a time. */
async function mapSome<Item, Result>(
  items: readonly Item[],
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  let next = 0;
  const work = async () => {
    for (let position = next++; position < items.length; position = next++)
      results[position] = await map(items[position] as Item);
  };
  await Promise.all(Array.from({ length: readAtOnce }, work));
  return results;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

/** Enough of a file's end to tell compressed images of the same size apart. */
const tailBytes = 4096;

/** Bytes of an image in a file, from `start`. */
interface Part {
  readonly file: File;
  readonly start: number;
  readonly length: number;
}

const sizeOf = async ({ length }: Part) => String(length);

async function tailOf({ file, start, length }: Part): Promise<string> {
  const buffer = new Uint8Array(Math.min(length, tailBytes));
  await file.read(buffer, { position: start + length - buffer.length });
  return sha256(buffer);
}

/** In pieces, so that large files do not have to fit into memory. */
async function contentOf({ file, start, length }: Part): Promise<string> {
  const hash = createHash('sha256');
  if (length > 0)
    for await (const piece of file.createReadStream({ autoClose: false, start, end: start + length - 1 }))
      hash.update(piece);
  return hash.digest('base64');
}

type File = Awaited<ReturnType<typeof open>>;

async function reading(
  encoded: EncodedImage,
  read: (part: Part) => Promise<string>,
): Promise<string | undefined> {
  if ('bytes' in encoded) return sha256(encoded.bytes);
  const { file: path, offset: start = 0, length } = encoded;
  try {
    return await readWithPatience(path, {
      read: async () => {
        const file = await open(path);
        try {
          return await read({ file, start, length: length ?? (await file.stat()).size - start });
        } finally {
          await file.close();
        }
      },
    });
  } catch (error) {
    // Whoever needs the image says what is wrong with it. A disk that fails is no property of an image: it would divide a set otherwise.
    if (error instanceof MissingImageError) return undefined;
    throw error;
  }
}

/** The fingerprints of encoded images, in files of their own or within larger ones: size, end, content. */
export const ofEncoded = ({ encoded }: Dataset): readonly Fingerprint[] =>
  [sizeOf, tailOf, contentOf].map(
    (print) => async (index: number) => encoded && reading(await encoded(index), print),
  );

/** The fingerprint of images that are in memory: their pixels. */
export const ofPixels = ({ image }: Dataset): readonly Fingerprint[] => [
  async (index) => sha256((await image(index)).data),
];
