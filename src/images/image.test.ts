import { describe, expect, it } from 'vitest';
import { readFixture } from '../../test/golden/fixture.ts';
import { type Image, resample } from './image.ts';
import { describeProtocol, preprocess, standardPreprocessing } from './preprocess.ts';

interface Case {
  readonly height: number;
  readonly width: number;
  readonly size: [number, number];
  readonly expected: readonly number[];
}

interface BoxCase extends Case {
  readonly box: readonly [top: number, left: number, height: number, width: number];
  /** The box is the central 87.5%. */
  readonly central: boolean;
}

/** The formula of test/fixtures/resample/make.py. */
function formulaImage({ height, width }: { height: number; width: number }, channels: 1 | 3 = 1): Image {
  const data = new Uint8Array(height * width * channels);
  for (let index = 0; index < data.length; index++) {
    const [y, x] = [Math.floor(index / channels / width), Math.floor(index / channels) % width];
    data[index] = (y * 37 + x * 101 + y * x * 13) % 256;
  }
  return { height, width, channels, data };
}

const whole = ({ height, width }: Image) => ({ top: 0, left: 0, height, width });

describe('resample', () => {
  const { cases } = readFixture<{ cases: readonly Case[] }>('resample/expected.json');

  it.each(
    cases.map((sample) => [`${sample.height}×${sample.width} to ${sample.size.join('×')}`, sample] as const),
  )('matches PyTorch’s bilinear values, rounded: %s', (_, { size, expected, ...shape }) => {
    for (const channels of [1, 3] as const) {
      const image = formulaImage(shape, channels);
      const target = new Uint8Array(size[0] * size[1] * 3);
      resample(image, { box: whole(image), size }, target);
      expected.forEach((value, pixel) => {
        expect(Math.abs((target[pixel * 3] as number) - value)).toBeLessThan(0.51);
        expect(target[pixel * 3 + 1]).toBe(target[pixel * 3]);
        expect(target[pixel * 3 + 2]).toBe(target[pixel * 3]);
      });
    }
  });

  it('copies an image that already has the target size, optionally mirrored', () => {
    const image = formulaImage({ height: 3, width: 4 }, 3);
    const [plain, mirrored] = [new Uint8Array(36), new Uint8Array(36)];
    resample(image, { box: whole(image), size: [3, 4] }, plain);
    resample(image, { box: whole(image), size: [3, 4], flip: true }, mirrored);
    expect(plain).toEqual(image.data);
    expect(mirrored.subarray(0, 3)).toEqual(image.data.subarray(9, 12));
  });

  it('fills with black where the box leaves the image', () => {
    const image: Image = { height: 2, width: 2, channels: 1, data: new Uint8Array(4).fill(200) };
    const target = new Uint8Array(12);
    resample(image, { box: { top: 1, left: 0, height: 2, width: 2 }, size: [2, 2] }, target);
    expect([...target]).toEqual([200, 200, 200, 200, 200, 200, 0, 0, 0, 0, 0, 0]);
  });

  it('writes only from the offset on', () => {
    const image = formulaImage({ height: 2, width: 2 });
    const target = new Uint8Array(20).fill(7);
    resample(image, { box: whole(image), size: [2, 2] }, target, 4);
    expect([...target.subarray(0, 4), ...target.subarray(16)]).toEqual(new Array(8).fill(7));
  });
});

describe('a box with fractional edges', () => {
  const { cases } = readFixture<{ cases: readonly BoxCase[] }>('resize/expected.json');

  it.each(
    cases.map((sample) => [`${sample.height}×${sample.width} to ${sample.size.join('×')}`, sample] as const),
  )(
    'matches Pillow’s bilinear values, rounded: %s',
    (_, { box: [top, left, height, width], central, size, expected, ...shape }) => {
      const image = formulaImage(shape, 3);
      const target = new Uint8Array(size[0] * size[1] * 3);
      if (central) preprocess(image, standardPreprocessing(size), target);
      else resample(image, { box: { top, left, height, width }, size }, target);
      expected.forEach((value, pixel) => {
        expect(Math.abs((target[pixel * 3] as number) - value)).toBeLessThan(0.51);
      });
    },
  );
});

describe('preprocess', () => {
  it('takes the central fraction of each side', () => {
    const data = new Uint8Array(16 * 16).fill(255);
    for (let y = 1; y < 15; y++) data.fill(10, y * 16 + 1, y * 16 + 15);
    const target = new Uint8Array(14 * 14 * 3);
    preprocess({ height: 16, width: 16, channels: 1, data }, standardPreprocessing([14, 14]), target);
    expect(new Set(target)).toEqual(new Set([10]));
  });

  it('is described in words', () => {
    expect(describeProtocol(standardPreprocessing([299, 299]))).toBe(
      'single crop, central 87.5%, stretched to 299×299 (bilinear, half-pixel centres), values in [−1, 1]',
    );
    expect(describeProtocol(standardPreprocessing([75, 80], { crop: 1 }))).toMatch(
      /^single crop, whole image, stretched to 75×80/,
    );
  });
});
