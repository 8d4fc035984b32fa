/** Mixtures against torchvision's; test/fixtures/augmentation says how they were computed. */
import { describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { randomFor } from '../../random.ts';
import { drawMix, type Mix, mixBatch, mixInto, symmetricBeta } from './mix.ts';

const { images, mixes, size } = readFixture<{
  readonly size: readonly [number, number];
  readonly images: readonly string[];
  readonly mixes: readonly {
    readonly kind: 'mixup' | 'cutMix';
    readonly box?: readonly [number, number, number, number];
    readonly share: number;
    readonly base64: readonly string[];
  }[];
}>('augmentation/operations.json');

const bytes = (base64 = ''): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

describe('mixInto', () => {
  it.each(mixes)('equals torchvision: $kind with $share', ({ kind, share, box, base64 }) => {
    const [left, top, right, bottom] = box ?? [0, 0, 0, 0];
    const mix: Mix = kind === 'mixup' ? { kind, share } : { kind, share, box: { left, top, right, bottom } };
    images.forEach((image, index) => {
      const mixed = bytes(image);
      mixInto(mixed, bytes(images.at(index - 1)), { mix, width: size[1] });
      const expected = bytes(base64[index]);
      const largest = Math.max(...mixed.map((value, place) => Math.abs(value - (expected[place] as number))));
      // torchvision's sums are float32: half a step may round either way.
      expect(largest).toBeLessThanOrEqual(kind === 'mixup' ? 1 : 0);
    });
  });
});

describe('drawMix', () => {
  const draws = (mixing: { mixup: number; cutMix: number }) =>
    Array.from({ length: 300 }, (_, seed) => drawMix(mixing, { size, random: randomFor(seed) }));

  it('mixes by the kind that is on, or by each for about half of the images', () => {
    const cut = (mixing: { mixup: number; cutMix: number }) =>
      draws(mixing).filter(({ kind }) => kind === 'cutMix').length;
    expect(cut({ mixup: 0.2, cutMix: 0 })).toBe(0);
    expect(cut({ mixup: 0, cutMix: 1 })).toBe(300);
    expect(Math.abs(cut({ mixup: 0.2, cutMix: 1 }) - 150)).toBeLessThan(40);
  });

  it('gives the share that the rectangle leaves, inside the image', () => {
    for (const mix of draws({ mixup: 0, cutMix: 1 })) {
      if (mix.kind !== 'cutMix') throw new Error('not drawn');
      const { left, top, right, bottom } = mix.box;
      expect(left >= 0 && top >= 0 && right <= size[1] && bottom <= size[0]).toBe(true);
      expect(mix.share).toBeCloseTo(1 - ((right - left) * (bottom - top)) / (size[0] * size[1]), 12);
    }
  });
});

describe('symmetricBeta', () => {
  it.each([0.001, 0.2, 1, 4])('has mean 1/2 and the variance of Beta(%d, %d)', (alpha) => {
    const random = randomFor(3);
    const values = Array.from({ length: 4000 }, () => symmetricBeta(alpha, random));
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
    expect(variance / (1 / (4 * (2 * alpha + 1)))).toBeCloseTo(1, 0.9);
  });
});

describe('mixBatch', () => {
  it('mixes each image with the one before it, and puts the label of the larger part first', () => {
    const pixels = Uint8Array.of(0, 0, 0, 100, 100, 100, 200, 200, 200);
    const labels = BigInt64Array.of(5n, 6n, 7n);
    const randomOf = (slot: number) => randomFor(1, slot);
    const mixing = { mixup: 1, cutMix: 0 };
    const shares = [0, 1, 2].map((slot) => drawMix(mixing, { size: [1, 1], random: randomOf(slot) }).share);
    const { otherLabels, labelShare } = mixBatch({ images: pixels, labels }, mixing, {
      size: [1, 1],
      randomOf,
    });
    shares.forEach((share, slot) => {
      const [own, other] = [slot, (slot + 2) % 3];
      expect(pixels[slot * 3]).toBe(Math.round(share * own * 100 + (1 - share) * other * 100));
      const pair = [BigInt(5 + own), BigInt(5 + other)];
      expect([labels[slot], otherLabels[slot]]).toEqual(share < 0.5 ? pair.reverse() : pair);
      expect(labelShare[slot]).toBeCloseTo(Math.max(share, 1 - share), 6);
    });
  });
});
