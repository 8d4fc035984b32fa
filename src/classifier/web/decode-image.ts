/**
 * Decodes images in a browser; everything after that is the code of training and evaluation. As in Node.js, the EXIF orientation is
 * applied, colour profiles become sRGB, and transparency is blended with white.
 */
import { DataError } from '../../data/data-error.ts';
import type { Image } from '../../images/image.ts';

/** The same limit as in Node.js. */
const maxPixels = 50_000_000;

interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}

interface Canvas {
  getContext(kind: '2d', options: object): Drawing | null;
}

interface Drawing {
  fillStyle: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  drawImage(bitmap: Bitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}

/** What is used of a browser: this package is compiled without a browser's types. */
interface Browser {
  createImageBitmap?(image: Blob, options: { imageOrientation: 'from-image' }): Promise<Bitmap>;
  readonly OffscreenCanvas?: new (width: number, height: number) => Canvas;
}

const { createImageBitmap, OffscreenCanvas } = globalThis as unknown as Browser;

/** @throws DataError if it cannot be decoded, is too large, or the browser cannot decode outside of a page. */
export async function decodeImage(image: Blob): Promise<Image> {
  if (!createImageBitmap || !OffscreenCanvas)
    throw new DataError(
      'images are decoded here by a browser with createImageBitmap and OffscreenCanvas, which is not there',
    );
  let bitmap: Bitmap;
  try {
    bitmap = await createImageBitmap(image, { imageOrientation: 'from-image' });
  } catch {
    const type = image.type ? ` (${image.type})` : '';
    throw new DataError(`the image${type} cannot be decoded; use JPEG, PNG or WebP`);
  }
  const { width, height } = bitmap;
  if (width * height > maxPixels) {
    bitmap.close();
    throw new DataError(`the image has ${width}×${height} pixels; the limit is 50 million`);
  }
  const context = new OffscreenCanvas(width, height).getContext('2d', {
    alpha: false,
    willReadFrequently: true,
  });
  if (!context) throw new DataError('this browser does not support canvas in a worker');
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
