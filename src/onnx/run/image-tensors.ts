/** Converts bytes to a model's input, and logits to probabilities. Pure; also for browsers. */
import type { Preprocessing } from '../../images/preprocess.ts';

/** (x / 255 − mean) / std of every byte for each channel; the three values repeat for more channels. */
const scalingTables = ({ channels = 3, mean, std }: Preprocessing): Float32Array[] =>
  Array.from({ length: channels }, (_, channel) => {
    const [channelMean, channelStd] = [mean[channel % 3] as number, std[channel % 3] as number];
    return Float32Array.from({ length: 256 }, (_, value) => (value / 255 - channelMean) / channelStd);
  });

/** Bytes [n, h, w, c] become floats of the same layout, (x / 255 − mean) / std. */
export function scaledPixels(images: Uint8Array, preprocessing: Preprocessing): Float32Array {
  const tables = scalingTables(preprocessing);
  return Float32Array.from(
    images,
    (value, index) => (tables[index % tables.length] as Float32Array)[value] as number,
  );
}

/** Bytes [n, h, w, c] become bytes [n, c, h, w]. */
export function planesOf(images: Uint8Array, { size, channels = 3 }: Preprocessing): Uint8Array {
  const area = size[0] * size[1];
  const planes = new Uint8Array(images.length);
  for (let image = 0; image < images.length; image += area * channels)
    for (let channel = 0; channel < channels; channel++)
      for (let pixel = 0; pixel < area; pixel++)
        planes[image + channel * area + pixel] = images[image + pixel * channels + channel] as number;
  return planes;
}

/** Bytes [n, h, w, c] become floats [n, c, h, w] of (x / 255 − mean) / std. */
export function scaledPlanes(images: Uint8Array, preprocessing: Preprocessing): Float32Array {
  const { size, channels = 3 } = preprocessing;
  const area = size[0] * size[1];
  const planes = new Float32Array(images.length);
  const tables = scalingTables(preprocessing);
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
