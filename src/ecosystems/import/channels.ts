/** Adapts the weights of the first convolution to another number of input channels. */
import { elementCount } from '../../graph/graph.ts';

/**
 * As timm does: one channel gets the sum over all; more channels repeat the existing ones, scaled so that the sum stays the
 * same.
 */
export function adaptChannels(
  weight: Float32Array,
  [filters = 0, inputs = 0, ...window]: readonly number[],
  channels: number,
): Float32Array {
  const area = elementCount(window);
  const result = new Float32Array(filters * channels * area);
  for (let filter = 0; filter < filters; filter++) {
    for (let pixel = 0; pixel < area; pixel++) {
      const value = (input: number) => weight[(filter * inputs + input) * area + pixel] as number;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        if (channels === 1) for (let input = 0; input < inputs; input++) sum += value(input);
        else sum = (value(channel % inputs) * inputs) / channels;
        result[(filter * channels + channel) * area + pixel] = sum;
      }
    }
  }
  return result;
}
