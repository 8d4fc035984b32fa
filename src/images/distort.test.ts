import { describe, expect, it } from 'vitest';
import { randomFor } from '../random.ts';
import { type Distortion, distort, mildDistortion, paperDistortion } from './distort.ts';
import type { Image } from './image.ts';

const size = [32, 32] as const;
const none: Distortion = { area: null, aspect: [1, 1], shift: 0, flip: false, colour: false, erase: 0 };

function gradient(): Image {
  const data = new Uint8Array(32 * 32 * 3);
  for (let at = 0; at < data.length; at++) data[at] = (at * 7) % 200;
  return { height: 32, width: 32, channels: 3, data };
}

function distorted(distortion: Distortion, seed: number, image = gradient()): Uint8Array {
  const target = new Uint8Array(32 * 32 * 3);
  distort(image, { distortion, size, random: randomFor(seed) }, target);
  return target;
}

const flat = (value: number): Image => ({
  height: 32,
  width: 32,
  channels: 3,
  data: new Uint8Array(32 * 32 * 3).fill(value),
});
const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('distort', () => {
  it('changes nothing when everything is off', () => {
    expect(distorted(none, 1)).toEqual(gradient().data);
  });

  it('depends on the random stream alone', () => {
    expect(distorted(paperDistortion, 5)).toEqual(distorted(paperDistortion, 5));
    expect(distorted(paperDistortion, 5)).not.toEqual(distorted(paperDistortion, 6));
  });

  it('mirrors about half of the images', () => {
    const plain = gradient().data.toString();
    const mirrored = Array.from({ length: 200 }, (_, seed) =>
      distorted({ ...none, flip: true }, seed),
    ).filter((each) => each.toString() !== plain);
    expect(mirrored.length).toBeGreaterThan(70);
    expect(mirrored.length).toBeLessThan(130);
  });

  it('shifts by whole pixels up to the given number', () => {
    const rows = new Set(
      Array.from({ length: 200 }, (_, seed) => {
        const shifted = distorted({ ...none, shift: 2 }, seed, flat(100));
        return Array.from({ length: 32 }, (_, y) => shifted[(y * 32 + 16) * 3]).filter((value) => value === 0)
          .length;
      }),
    );
    expect([...rows].sort()).toEqual([0, 1, 2]);
  });

  it('keeps the crops of the paper inside the image: no black comes in', () => {
    for (let seed = 0; seed < 100; seed++) {
      expect(Math.min(...distorted({ ...paperDistortion, colour: false }, seed, flat(100)))).toBe(100);
    }
  });

  it('distorts grey by brightness only: contrast, saturation and hue leave an even grey alone', () => {
    for (let seed = 0; seed < 50; seed++) {
      const pixels = distorted({ ...none, colour: true }, seed, flat(120));
      expect(Math.abs(mean(pixels) - 120)).toBeLessThanOrEqual(33);
      expect(Math.max(...pixels) - Math.min(...pixels)).toBeLessThanOrEqual(2);
    }
  });

  it('turns colours by the hue', () => {
    const red: Image = {
      ...flat(0),
      data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => (at % 3 === 0 ? 200 : 40)),
    };
    const colours = Array.from({ length: 50 }, (_, seed) => [
      ...distorted({ ...none, colour: true }, seed, red).subarray(0, 3),
    ]);
    expect(colours.some(([r, g]) => (g as number) > (r as number) * 0.6)).toBe(true);
    expect(colours.every(([r, , b]) => (r as number) >= (b as number) * 0.5)).toBe(true);
  });

  it('erases between 2 and 20 percent of the area, about as often as asked', () => {
    let erased = 0;
    for (let seed = 0; seed < 200; seed++) {
      const pixels = distorted({ ...none, erase: 0.5 }, seed, flat(100));
      const changed = pixels.filter((value) => value !== 100).length / pixels.length;
      if (changed > 0) {
        erased++;
        expect(changed).toBeLessThan(0.25);
      }
    }
    expect(erased).toBeGreaterThan(70);
    expect(erased).toBeLessThan(130);
  });

  it('has a mild form that keeps the whole image nearly in place', () => {
    expect(mildDistortion).toMatchObject({ area: null, shift: 2, flip: true, colour: false });
  });
});
