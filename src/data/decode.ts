/** Decoding of images from strangers, under limits, to 8-bit RGB. */
import type sharp from 'sharp';
import type { Image } from '../images/image.ts';
import { DataError } from './data-error.ts';

/** Fifty megapixels are plenty, and a hostile file cannot ask for more memory than they need. */
const mostPixels = 50_000_000;

/** The formats that are read; every other loader of libvips is blocked. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp'];

let loading: Promise<typeof sharp> | undefined;

/** sharp takes 100 ms to load and most commands need no image. */
function loadSharp(): Promise<typeof sharp> {
  loading ??= import('sharp').then(({ default: loaded }) => {
    loaded.block({ operation: ['VipsForeignLoad'] });
    loaded.unblock({
      operation: ['VipsForeignLoadJpegFile', 'VipsForeignLoadPngFile', 'VipsForeignLoadWebpFile'],
    });
    loaded.unblock({
      operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
    });
    // One image is decoded by one thread; the batch's images are decoded in parallel.
    loaded.concurrency(1);
    loaded.cache(false);
    return loaded;
  });
  return loading;
}

/**
 * Decodes a JPEG, PNG or WebP, a file or its bytes. EXIF's orientation is applied; CMYK, grey, 16-bit and profiles become
 * 8-bit sRGB; transparency lies on white; of an animation the first frame is taken.
 * @throws DataError naming the image (`name`, or the file) and what is wrong.
 */
export async function decodeImage(
  file: string | Uint8Array,
  { name = typeof file === 'string' ? file : 'the image' }: { readonly name?: string } = {},
): Promise<Image> {
  const load = await loadSharp();
  try {
    const { data, info } = await load(file, { limitInputPixels: mostPixels, failOn: 'error', pages: 1 })
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

/** An image as the bytes of a PNG file. */
export async function encodePng({ height, width, channels, data }: Image): Promise<Uint8Array> {
  const load = await loadSharp();
  return load(data, { raw: { height, width, channels } }).png().toBuffer();
}
