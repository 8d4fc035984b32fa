/** Rotation, shear and translation of an image that keeps its size; what comes from outside is black. As torchvision's for tensors. */
import { roundHalfEven } from '../round-half-even.ts';

/** Bytes [height, width, 3] and their size. */
export interface Canvas {
  readonly pixels: Uint8Array;
  readonly size: readonly [height: number, width: number];
}

/** Where a pixel comes from, in pixels from the image's centre: (a · x + b · y + c, d · x + e · y + f). */
export type Origin = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Counter-clockwise about the centre. */
export function rotationBy(degrees: number): Origin {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [cos, -sin, 0, sin, cos, 0];
}

/** Rows move left by `amount` of their distance from the top. */
export const horizontalShear = (amount: number, [height]: Canvas['size']): Origin => [
  1,
  amount,
  (amount * height) / 2,
  0,
  1,
  0,
];

/** Columns move up by `amount` of their distance from the left. */
export const verticalShear = (amount: number, [, width]: Canvas['size']): Origin => [
  1,
  0,
  0,
  amount,
  1,
  (amount * width) / 2,
];

/** To the right and down, in pixels. */
export const translationBy = (x: number, y: number): Origin => [1, 0, -x, 0, 1, -y];

/** Moves the pixels; with 'nearest' each is a copy of one, with 'bilinear' a mean of four. */
export function transform(
  { pixels, size: [height, width] }: Canvas,
  [a, b, c, d, e, f]: Origin,
  interpolation: 'nearest' | 'bilinear',
): void {
  const source = pixels.slice();
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const valueAt = (x: number, y: number, channel: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : (source[(y * width + x) * 3 + channel] as number);
  let index = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++, index += 3) {
      const [x, y] = [column - centreX, row - centreY];
      const fromX = a * x + b * y + c + centreX;
      const fromY = d * x + e * y + f + centreY;
      if (interpolation === 'nearest') {
        const [nearX, nearY] = [roundHalfEven(fromX), roundHalfEven(fromY)];
        const inside = nearX >= 0 && nearY >= 0 && nearX < width && nearY < height;
        const from = (nearY * width + nearX) * 3;
        for (let channel = 0; channel < 3; channel++)
          pixels[index + channel] = inside ? (source[from + channel] as number) : 0;
        continue;
      }
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [right, bottom] = [fromX - left, fromY - top];
      if (left >= 0 && top >= 0 && left + 1 < width && top + 1 < height) {
        const corner = (top * width + left) * 3;
        for (let from = corner; from < corner + 3; from++) {
          const below = from + width * 3;
          const upper = (source[from] as number) * (1 - right) + (source[from + 3] as number) * right;
          const lower = (source[below] as number) * (1 - right) + (source[below + 3] as number) * right;
          pixels[index + from - corner] = roundHalfEven(upper * (1 - bottom) + lower * bottom);
        }
        continue;
      }
      for (let channel = 0; channel < 3; channel++) {
        const upper = valueAt(left, top, channel) * (1 - right) + valueAt(left + 1, top, channel) * right;
        const lower =
          valueAt(left, top + 1, channel) * (1 - right) + valueAt(left + 1, top + 1, channel) * right;
        pixels[index + channel] = roundHalfEven(upper * (1 - bottom) + lower * bottom);
      }
    }
  }
}

/** Turns the image upside down. */
export function flipVertically({ pixels, size: [height, width] }: Canvas): void {
  const row = width * 3;
  for (let top = 0; top < Math.floor(height / 2); top++) {
    const [upper, lower] = [top * row, (height - 1 - top) * row];
    const kept = pixels.slice(upper, upper + row);
    pixels.copyWithin(upper, lower, lower + row);
    pixels.set(kept, lower);
  }
}
