import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Image } from '../images/image.ts';
import { nearGroups } from './near-duplicates.ts';
import { distance, isNear, type PerceptualHash, perceptualHash } from './perceptual-hash.ts';

const imageOf = (
  [height, width]: readonly [number, number],
  value: (y: number, x: number, channel: number) => number,
): Image => ({
  height,
  width,
  channels: 3,
  data: Uint8Array.from({ length: height * width * 3 }, (_, index) =>
    value(Math.floor(index / 3 / width), Math.floor(index / 3) % width, index % 3),
  ),
});

describe('a perceptual hash', () => {
  it('is that of a discrete cosine transform by matrices in NumPy 2', () => {
    const image = imageOf(
      [48, 80],
      (y, x, channel) => Math.floor((x * x * 3 + y * y * 5 + x * y * (channel + 1) * 2) / 16) % 256,
    );
    const { high, low, colours } = perceptualHash(image);
    expect([high, low]).toEqual([0xe00e3f7f, 0xf0e0e0c1]);
    expect([...colours.slice(0, 12)]).toEqual([42, 49, 55, 134, 134, 133, 132, 134, 129, 128, 127, 125]);
  });

  it('is the same for an image of twice the size, and for grey as for equal channels', () => {
    const value = (y: number, x: number) => (y * 7 + x * x) % 200;
    const small = perceptualHash(imageOf([32, 64], value));
    const large = perceptualHash(imageOf([64, 128], (y, x) => value(y >> 1, x >> 1)));
    expect(large).toEqual(small);
    const grey: Image = {
      height: 32,
      width: 64,
      channels: 1,
      data: Uint8Array.from({ length: 2048 }, (_, index) => value(index >> 6, index & 63)),
    };
    expect(perceptualHash(grey)).toEqual(small);
  });

  it('tells plain images of two colours apart, and not two of nearly the same', () => {
    const plain = (level: number) => perceptualHash(imageOf([10, 10], () => level));
    expect(distance(plain(40), plain(200))).toBe(0);
    expect(isNear(plain(40), plain(200))).toBe(false);
    expect(isNear(plain(40), plain(45))).toBe(true);
  });

  it('counts differing bits', () => {
    expect(distance({ high: 0xffffffff, low: 0 }, { high: 0, low: 5 })).toBe(34);
  });
});

describe('groups of near images', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const hashOf = (high: number, low: number): PerceptualHash => ({
    high,
    low,
    colours: new Uint8Array(48),
  });

  it('are those that comparing every pair gives', () => {
    const flips = fc.array(fc.nat({ max: 63 }), { maxLength: 9 });
    const made = fc.array(fc.record({ base: fc.nat({ max: 3 }), flips }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 4, maxLength: 4 }), made, (bases, images) => {
        const hashes = images.map(({ base, flips }) => {
          const words = [...(bases[base] as [number, number])];
          for (const bit of flips) words[bit >> 5] = ((words[bit >> 5] as number) ^ (1 << (bit & 31))) >>> 0;
          return hashOf(words[0] as number, words[1] as number);
        });
        const groups = hashes.map((_, index) => new Set([index]));
        for (let a = 0; a < hashes.length; a++)
          for (let b = 0; b < a; b++) {
            if (!isNear(hashes[a] as PerceptualHash, hashes[b] as PerceptualHash)) continue;
            const joined = new Set([...(groups[a] as Set<number>), ...(groups[b] as Set<number>)]);
            for (const index of joined) groups[index] = joined;
          }
        const expected = [...new Set(groups)].filter(({ size }) => size > 1);
        const sorted = (found: readonly Iterable<number>[]) =>
          found.map((group) => [...group].sort((a, b) => a - b).join()).sort();
        expect(sorted(nearGroups(hashes))).toEqual(sorted(expected));
      }),
    );
  });

  it('leave out images without a hash, and take a thousand equal ones at once', () => {
    const blank = Array.from({ length: 1000 }, () => hashOf(1, 2));
    expect(nearGroups([undefined, ...blank, hashOf(0xffffffff, 0)])).toEqual([
      Array.from({ length: 1000 }, (_, index) => index + 1),
    ]);
  });
});
