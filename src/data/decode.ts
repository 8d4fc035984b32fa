/** Decodes untrusted images to 8-bit RGB, within limits. */
import type sharp from 'sharp';
import type { Image } from '../images/image.ts';
import { DataError } from './data-error.ts';

/** Bounds the memory that a malicious file can make the decoder allocate. */
const maxPixels = 50_000_000;

/** The supported formats; every other loader of libvips is blocked. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp'];

let loading: Promise<typeof sharp> | undefined;

/** Loaded on first use: sharp takes 100 ms to load, and most commands need no images. */
function loadSharp(): Promise<typeof sharp> {
  loading ??= import('sharp').then(({ default: loaded }) => {
    loaded.block({ operation: ['VipsForeignLoad'] });
    loaded.unblock({
      operation: ['VipsForeignLoadJpegFile', 'VipsForeignLoadPngFile', 'VipsForeignLoadWebpFile'],
    });
    loaded.unblock({
      operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
    });
    // One thread per image: the images of a batch are decoded in parallel.
    loaded.concurrency(1);
    loaded.cache(false);
    return loaded;
  });
  return loading;
}

/**
 * Decodes a JPEG, PNG or WebP, given as a file or its bytes. The EXIF orientation is applied; CMYK, grey, 16-bit and other
 * profiles become 8-bit sRGB; transparency is blended with white; of an animation the first frame is used.
 * @throws DataError naming the image (`name`, or the file) and the problem.
 */
export async function decodeImage(
  file: string | Uint8Array,
  { name = typeof file === 'string' ? file : 'the image' }: { readonly name?: string } = {},
): Promise<Image> {
  const load = await loadSharp();
  try {
    const { data, info } = await load(file, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const channels = info.channels as number;
    if (channels !== 1 && channels !== 3) throw new Error(`expected 1 or 3 channels, received ${channels}`);
    return { height: info.height, width: info.width, channels, data };
  } catch (error) {
    throw new DataError(
      `${name}: cannot be decoded as JPEG, PNG or WebP of at most 50 megapixels (${(error as Error).message.split('\n')[0]})`,
      { cause: error },
    );
  }
}

/** Encodes an image as PNG. */
export async function encodePng({ height, width, channels, data }: Image): Promise<Uint8Array> {
  const load = await loadSharp();
  return load(data, { raw: { height, width, channels } }).png().toBuffer();
}
