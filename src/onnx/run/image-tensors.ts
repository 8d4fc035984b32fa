/** From bytes to a model's input and from its logits to probabilities. Pure; also for browsers. */
import type { Preprocessing } from '../../images/preprocess.ts';

/** Bytes [n, h, w, c] become floats [n, c, h, w] of (x / 255 − mean) / std. */
export function scaledPlanes(
  images: Uint8Array,
  { size, channels = 3, mean, std }: Preprocessing,
): Float32Array {
  const area = size[0] * size[1];
  const planes = new Float32Array(images.length);
  const tables = Array.from({ length: channels }, (_, channel) => {
    const [own, spread] = [mean[channel] as number, std[channel] as number];
    return Float32Array.from({ length: 256 }, (_, value) => (value / 255 - own) / spread);
  });
  for (let image = 0; image < images.length; image += area * channels) {
    for (const [channel, table] of tables.entries()) {
      let at = image + channel * area;
      for (let from = image + channel; from < image + area * channels; from += channels)
        planes[at++] = table[images[from] as number] as number;
    }
  }
  return planes;
}

/** Softmax over each row. */
export function probabilitiesOf(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let at = row; at < row + classes; at++) largest = Math.max(largest, logits[at] as number);
    let sum = 0;
    for (let at = row; at < row + classes; at++) sum += Math.exp((logits[at] as number) - largest);
    for (let at = row; at < row + classes; at++)
      result[at] = Math.exp((logits[at] as number) - largest) / sum;
  }
  return result;
}
