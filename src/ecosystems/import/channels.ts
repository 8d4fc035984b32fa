/** Weights of a first convolution for other input channels. */
import { elementCount } from '../../graph/graph.ts';

/**
 * A first convolution for other input channels, as timm adapts it: for one channel the sum over all, for more the three
 * repeated and scaled so that their sum stays.
 */
export function adaptChannels(
  weight: Float32Array,
  [filters = 0, inputs = 0, ...window]: readonly number[],
  wanted: number,
): Float32Array {
  const area = elementCount(window);
  const result = new Float32Array(filters * wanted * area);
  for (let filter = 0; filter < filters; filter++) {
    for (let place = 0; place < area; place++) {
      const value = (channel: number) => weight[(filter * inputs + channel) * area + place] as number;
      for (let channel = 0; channel < wanted; channel++) {
        let sum = 0;
        if (wanted === 1) for (let each = 0; each < inputs; each++) sum += value(each);
        else sum = (value(channel % inputs) * inputs) / wanted;
        result[(filter * wanted + channel) * area + place] = sum;
      }
    }
  }
  return result;
}
