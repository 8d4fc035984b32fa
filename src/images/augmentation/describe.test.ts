import { describe, expect, it } from 'vitest';
import { mildAugmentation, paperAugmentation } from '../augmentation.ts';
import { describeAugmentation } from './describe.ts';

describe('describeAugmentation', () => {
  it('says what is done, and none where nothing is', () => {
    expect(describeAugmentation(paperAugmentation)).toBe(
      'crops of 8% to 100% of the area, of aspect ratio 0.75 to 1.33, mirrored, other brightness, contrast, saturation and hue',
    );
    expect(describeAugmentation({ ...mildAugmentation, shift: 0, flip: false })).toBe('none');
    const all = { verticalFlip: true, rotation: 15, randAugment: 9, mixup: 0.2, cutMix: 1, erase: 0.25 };
    expect(describeAugmentation({ ...mildAugmentation, ...all })).toBe(
      'shifted by up to 2 pixels, mirrored, upside down, rotated by up to 15°, RandAugment of strength 9, a rectangle erased in 25% of the images, mixed by mixup (0.2), mixed by CutMix (1)',
    );
  });
});
