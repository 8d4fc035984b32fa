import type { Image } from '../src/images/image.ts';

/** The image of test/fixtures/kernels/make.py and test/fixtures/protocols/make.py, by the same formula. */
export function formulaImage([height, width]: readonly [number, number]): Image {
  const data = new Uint8Array(height * width * 3);
  for (let index = 0; index < data.length; index++) {
    const [y, x, c] = [Math.floor(index / 3 / width), Math.floor(index / 3) % width, index % 3];
    const edge = (x + y) % 11 === 0;
    data[index] = edge ? (c === 1 ? 255 : 0) : (y * 37 + x * 101 + c * 59 + ((y * x * 13) % 97)) % 256;
  }
  return { height, width, channels: 3, data };
}
