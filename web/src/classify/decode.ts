/**
 * The browser decodes; everything after that is the code of training and evaluation. As on the server, the EXIF orientation is
 * applied, colour profiles become sRGB, and transparency is blended with white.
 */
import type { Image } from '../../../src/images/image.ts';

/** The same limit as on the server. */
const maxPixels = 50_000_000;

export async function decodeImage(image: Blob): Promise<Image> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image, { imageOrientation: 'from-image' });
  } catch {
    throw new Error(
      `the image${image.type ? ` (${image.type})` : ''} cannot be decoded; use JPEG, PNG or WebP`,
    );
  }
  const { width, height } = bitmap;
  if (width * height > maxPixels) {
    bitmap.close();
    throw new Error(`the image has ${width}×${height} pixels; the limit is 50 million`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new Error('this browser does not support canvas in a worker');
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(width * height * 3);
  for (let source = 0, index = 0; source < data.length; source += 4) {
    rgb[index++] = data[source] as number;
    rgb[index++] = data[source + 1] as number;
    rgb[index++] = data[source + 2] as number;
  }
  return { width, height, channels: 3, data: rgb };
}
