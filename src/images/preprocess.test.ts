import { describe, expect, it } from 'vitest';
import { viewsOf } from './crops.ts';
import type { Image } from './image.ts';
import { ChannelsError, preprocess, seenBox, standardPreprocessing } from './preprocess.ts';

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

describe('seenBox', () => {
  it('is what the single crop shows, in the image’s pixels', () => {
    const whole = standardPreprocessing([100, 100], { crop: 1, kernel: 'tf-bilinear' });
    expect(seenBox({ height: 50, width: 80 }, whole)).toEqual({ top: 0, left: 0, height: 50, width: 80 });
    expect(seenBox({ height: 40, width: 80 }, standardPreprocessing([100, 100], { crop: 0.5 }))).toEqual({
      top: 10,
      left: 20,
      height: 20,
      width: 40,
    });
    // torchvision: the shorter side to 200, then the central 100×100 of 200×400.
    const timm = standardPreprocessing([100, 100], { protocol: 'timm', crop: 0.5 });
    expect(seenBox({ height: 400, width: 800 }, timm)).toEqual({
      top: 100,
      left: 300,
      height: 200,
      width: 200,
    });
  });
});
