/** Converts bytes to a model's input, and logits to probabilities. Pure; also for browsers. */
import type { Preprocessing } from '../../images/preprocess.ts';

/** Bytes [n, h, w, c] become floats [n, c, h, w] of (x / 255 − mean) / std. */
export function scaledPlanes(
  images: Uint8Array,
  { size, channels = 3, mean, std }: Preprocessing,
): Float32Array {
  const area = size[0] * size[1];
  const planes = new Float32Array(images.length);
  const tables = Array.from({ length: channels }, (_, channel) => {
    const [channelMean, channelStd] = [mean[channel] as number, std[channel] as number];
    return Float32Array.from({ length: 256 }, (_, value) => (value / 255 - channelMean) / channelStd);
  });
  for (let image = 0; image < images.length; image += area * channels) {
    for (const [channel, table] of tables.entries()) {
      let target = image + channel * area;
      for (let source = image + channel; source < image + area * channels; source += channels)
        planes[target++] = table[images[source] as number] as number;
    }
  }
  return planes;
}

/** Softmax over each row. */
export function probabilitiesOf(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    let maximum = Number.NEGATIVE_INFINITY;
    for (let index = row; index < row + classes; index++)
      maximum = Math.max(maximum, logits[index] as number);
    let sum = 0;
    for (let index = row; index < row + classes; index++)
      sum += Math.exp((logits[index] as number) - maximum);
    for (let index = row; index < row + classes; index++)
      result[index] = Math.exp((logits[index] as number) - maximum) / sum;
  }
  return result;
}
