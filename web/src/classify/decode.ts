/**
 * The browser decodes; everything after it is the code of training and evaluation. As on the server, EXIF's orientation is
 * applied, profiles become sRGB, and transparency lies on white.
 */
import type { Image } from '../../../src/images/image.ts';

/** As on the server: what a stranger's image may ask for. */
const mostPixels = 50_000_000;

export async function decodeImage(image: Blob): Promise<Image> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image, { imageOrientation: 'from-image' });
  } catch {
    throw new Error(
      `the image${image.type ? ` (${image.type})` : ''} cannot be decoded; JPEG, PNG and WebP can`,
    );
  }
  const { width, height } = bitmap;
  if (width * height > mostPixels) {
    bitmap.close();
    throw new Error(`the image has ${width}×${height} pixels; at most 50 million are taken`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new Error('this browser gives no canvas to a worker');
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, at = 0; from < data.length; from += 4) {
    rgb[at++] = data[from] as number;
    rgb[at++] = data[from + 1] as number;
    rgb[at++] = data[from + 2] as number;
  }
  return { width, height, channels: 3, data: rgb };
}
