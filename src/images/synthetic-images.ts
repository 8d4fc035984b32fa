/** Images where no others are at hand: to compare, measure or try a model. Pure. */
import { inputBytes, type Preprocessing } from './preprocess.ts';

/** Deterministic images of different brightness as bytes [count, height, width, channels]: smooth waves with noise. */
export function syntheticImages(preprocessing: Preprocessing, count: number): Uint8Array {
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const images = new Uint8Array(count * inputBytes(preprocessing));
  let state = 1;
  for (let index = 0; index < images.length; index++) {
    // Numerical Recipes' linear congruential generator; its high bits are good enough here.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const image = Math.floor(index / (height * width * channels));
    const [row, column] = [
      Math.floor(index / (width * channels)) % height,
      Math.floor(index / channels) % width,
    ];
    const wave =
      Math.sin((row / height) * (3 + image) + (index % channels)) * Math.cos((column / width) * 5 + image);
    images[index] = 128 + 90 * wave + ((state >>> 24) - 128) * 0.3;
  }
  return images;
}
