/** Small images for reports. */
import { resizeAny } from '../images/geometry.ts';
import type { Image } from '../images/image.ts';
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';
import { encodePng } from './decode.ts';

/** Longest side, in pixels. */
const defaultSide = 96;

/**
 * A PNG file in base64, scaled down to `side`; smaller images stay as they are. Undefined if the image cannot be read: it may have
 * gone since it was evaluated, and then a report lacks a thumbnail.
 */
export async function thumbnail(
  dataset: Pick<Dataset, 'image'>,
  index: number,
  { side = defaultSide }: { readonly side?: number } = {},
): Promise<string | undefined> {
  try {
    const png = await encodePng(shrink(await dataset.image(index), side));
    return Buffer.from(png).toString('base64');
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

function shrink(image: Image, side: number): Image {
  const { height, width } = image;
  const scale = side / Math.max(height, width);
  if (scale >= 1) return image;
  const scaled = (length: number) => Math.max(1, Math.round(length * scale));
  return resizeAny(image, 'pillow-bilinear', { size: [scaled(height), scaled(width)] });
}
