/** Decodes untrusted images to 8-bit RGB, within limits. */
import type sharp from 'sharp';
import type { Image } from '../images/image.ts';
import { DataError } from './data-error.ts';
import { imageAddon } from './native/image-addon.ts';
import { isWorthTrying } from './native/worth-trying.ts';
import { readImageFile } from './read-image-file.ts';

/** Bounds the memory that a malicious file can make the decoder allocate. */
const maxPixels = 50_000_000;

/** JPEG's limit. A file of a few kilobytes can declare one column of 50 million rows, and decoders take a row at a time. */
const maxSide = 65_535;

/** The supported formats with libvips' loaders; every other loader is blocked. */
const loaders = {
  JPEG: 'Jpeg',
  PNG: 'Png',
  WebP: 'Webp',
  GIF: 'Nsgif',
  TIFF: 'Tiff',
  AVIF: 'Heif',
} as const;

/** An image format that can be decoded. */
export type ImageFormat = keyof typeof loaders;

/** The endings of files that are read as images, in any case. The format itself is recognised by a file's content. */
export const imageExtensions: readonly string[] =
  '.jpg .jpeg .jpe .jfif .png .apng .webp .gif .tif .tiff .avif'.split(' ');

let formats = Object.keys(loaders) as readonly ImageFormat[];

/** Limits this process to some formats, before it decodes the first image: untrusted bytes then meet fewer decoders. */
export function allowFormats(allowed: readonly ImageFormat[]): void {
  formats = allowed;
}

let loading: Promise<typeof sharp> | undefined;

/** Loaded on first use: sharp takes 100 ms to load, and most commands need no images. */
export function loadSharp(): Promise<typeof sharp> {
  loading ??= import('sharp').then(({ default: loaded }) => {
    loaded.block({ operation: ['VipsForeignLoad'] });
    loaded.unblock({ operation: formats.map((format) => `VipsForeignLoad${loaders[format]}Buffer`) });
    // One thread per image: the images of a batch are decoded in parallel.
    loaded.concurrency(1);
    loaded.cache(false);
    return loaded;
  });
  return loading;
}

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF, given as a file or its bytes. The EXIF orientation is applied; CMYK, grey, 16-bit
 * and other profiles become 8-bit sRGB; transparency is blended with white; of an animation or several pages the first is used.
 * @throws DataError naming the image (`name`, or the file) and the problem.
 */
export async function decodeImage(
  file: string | Uint8Array,
  { name = typeof file === 'string' ? file : 'the image' }: { readonly name?: string } = {},
): Promise<Image> {
  const source = typeof file === 'string' ? { file } : { bytes: file };
  const decoded = isWorthTrying(source) ? await imageAddon()?.decode(source) : undefined;
  return decoded ?? decodeBySharp(file, name);
}

/** Without the addon for images, which gives the same pixels. @throws as decodeImage */
export async function decodeBySharp(file: string | Uint8Array, name: string): Promise<Image> {
  const load = await loadSharp();
  const bytes = typeof file === 'string' ? await readImageFile(file) : file;
  try {
    if (bytes.length === 0) throw new Error('the file is empty');
    const input = load(bytes, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 });
    // Before anything is decoded.
    const { width, height } = await input.metadata();
    if (Math.max(width, height) > maxSide) throw new Error(`it has ${width}×${height} pixels`);
    const { data, info } = await input
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const channels = info.channels as number;
    if (channels !== 1 && channels !== 3) throw new Error(`expected 1 or 3 channels, received ${channels}`);
    return { height: info.height, width: info.width, channels, data };
  } catch (error) {
    const allowed = `${formats.slice(0, -1).join(', ')} or ${formats.at(-1)}`;
    throw new DataError(
      `${name}: cannot be decoded as ${allowed} of at most 50 megapixels and ${maxSide} pixels a side (${(error as Error).message.split('\n')[0]})`,
      { cause: error },
    );
  }
}

/** Encodes an image as PNG. */
export async function encodePng({ height, width, channels, data }: Image): Promise<Uint8Array> {
  const load = await loadSharp();
  return load(data, { raw: { height, width, channels } }).png().toBuffer();
}

/** Draws an SVG of this program's own making as PNG. No other caller reads SVG: it may name files and be of any size. */
export async function pngOfSvg(svg: string, { density }: { readonly density: number }): Promise<Uint8Array> {
  const load = await loadSharp();
  const operation = ['VipsForeignLoadSvgBuffer'];
  load.unblock({ operation });
  try {
    return await load(Buffer.from(svg), { density }).png({ palette: true }).toBuffer();
  } finally {
    load.block({ operation });
  }
}
