import { describe, expect, it } from 'vitest';
import { viewsOf } from './crops.ts';
import type { Image } from './image.ts';
import { ChannelsError, preprocess, standardPreprocessing } from './preprocess.ts';

const image: Image = { height: 4, width: 4, channels: 3, data: new Uint8Array(48).fill(9) };

describe('a network of six channels', () => {
  const preprocessing = standardPreprocessing([2, 2], { channels: 6 });

  it('takes no image, and says what it takes', () => {
    const calls = [
      () => preprocess(image, preprocessing, new Uint8Array(24)),
      () => viewsOf(image, preprocessing, { crops: 1 }),
    ];
    for (const call of calls) {
      expect(call).toThrow(ChannelsError);
      expect(call).toThrow(
        'the network takes 6 channels, and images have 3 or 1; its input, bytes [n, 2, 2, 6], can be given to a predictor',
      );
    }
  });
});
