/** Images side by side, each with a line below it. */
import { drawText } from '../data/draw-text.ts';
import { resizeAny } from '../images/geometry.ts';
import type { Image } from '../images/image.ts';

const cell = 180;
const margin = 10;
const captionHeight = 34;

/** White, with as many columns as rows or one more. `legible` is false where the machine has no font for the lines. */
export async function drawImages(
  images: readonly { readonly read: () => Promise<Image>; readonly caption: string }[],
): Promise<{ readonly image: Image; readonly legible: boolean }> {
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const width = margin + columns * (cell + margin);
  const height = margin + rows * (cell + captionHeight + margin);
  const data = new Uint8Array(width * height * 3).fill(255);
  let legible = true;
  for (const [index, { read, caption }] of images.entries()) {
    const left = margin + (index % columns) * (cell + margin);
    const top = margin + Math.floor(index / columns) * (cell + captionHeight + margin);
    const shown = fitted(await read());
    // Just above its line.
    const first = top + cell - shown.height;
    for (let y = 0; y < shown.height; y++)
      for (let x = 0; x < shown.width; x++)
        for (let channel = 0; channel < 3; channel++)
          data[((first + y) * width + left + x) * 3 + channel] = shown.data[
            (y * shown.width + x) * shown.channels + (shown.channels === 1 ? 0 : channel)
          ] as number;
    const text = await drawText(caption, { size: 12, width: cell });
    legible &&= text.ink.some((ink) => ink > 0);
    for (let y = 0; y < Math.min(text.height, captionHeight); y++)
      for (let x = 0; x < Math.min(text.width, cell); x++) {
        const at = ((top + cell + 4 + y) * width + left + x) * 3;
        if (at < data.length) data.fill(255 - 0.87 * (text.ink[y * text.width + x] as number), at, at + 3);
      }
  }
  return { image: { height, width, channels: 3, data }, legible };
}

function fitted(image: Image): Image {
  const scale = cell / Math.max(image.height, image.width);
  const size = [image.height, image.width].map((side) => Math.max(1, Math.round(side * scale)));
  return resizeAny(image, 'pillow-bilinear', { size: size as [number, number] });
}
