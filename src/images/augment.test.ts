import { describe, expect, it } from 'vitest';
import { randomFor } from '../random.ts';
import { augment } from './augment.ts';
import {
  type Augmentation,
  mildAugmentation,
  paperAugmentation,
  unusedAugmentation,
} from './augmentation.ts';
import type { Image } from './image.ts';

const size = [32, 32] as const;
const identity: Augmentation = {
  ...unusedAugmentation,
  ...{ area: null, aspect: [1, 1], shift: 0, flip: false, colour: false, erase: 0 },
};

function gradient(): Image {
  const data = new Uint8Array(32 * 32 * 3);
  for (let index = 0; index < data.length; index++) data[index] = (index * 7) % 200;
  return { height: 32, width: 32, channels: 3, data };
}

function augmented(augmentation: Augmentation, seed: number, image = gradient()): Uint8Array {
  const target = new Uint8Array(32 * 32 * 3);
  augment(image, { augmentation, size, random: randomFor(seed) }, target);
  return target;
}

const flat = (value: number): Image => ({
  height: 32,
  width: 32,
  channels: 3,
  data: new Uint8Array(32 * 32 * 3).fill(value),
});
const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('augment', () => {
  it('changes nothing if everything is off', () => {
    expect(augmented(identity, 1)).toEqual(gradient().data);
  });

  it('depends only on the random stream', () => {
    expect(augmented(paperAugmentation, 5)).toEqual(augmented(paperAugmentation, 5));
    expect(augmented(paperAugmentation, 5)).not.toEqual(augmented(paperAugmentation, 6));
  });

  it('mirrors about half of the images', () => {
    const plain = gradient().data.toString();
    const mirrored = Array.from({ length: 200 }, (_, seed) =>
      augmented({ ...identity, flip: true }, seed),
    ).filter((pixels) => pixels.toString() !== plain);
    expect(mirrored.length).toBeGreaterThan(70);
    expect(mirrored.length).toBeLessThan(130);
  });

  it('shifts by whole pixels up to the maximum', () => {
    const rows = new Set(
      Array.from({ length: 200 }, (_, seed) => {
        const shifted = augmented({ ...identity, shift: 2 }, seed, flat(100));
        return Array.from({ length: 32 }, (_, y) => shifted[(y * 32 + 16) * 3]).filter((value) => value === 0)
          .length;
      }),
    );
    expect([...rows].sort()).toEqual([0, 1, 2]);
  });

  it('keeps the paper’s crops inside the image, so that no black enters', () => {
    for (let seed = 0; seed < 100; seed++) {
      expect(Math.min(...augmented({ ...paperAugmentation, colour: false }, seed, flat(100)))).toBe(100);
    }
  });

  it('changes only the brightness of plain grey, not its contrast, saturation and hue', () => {
    for (let seed = 0; seed < 50; seed++) {
      const pixels = augmented({ ...identity, colour: true }, seed, flat(120));
      expect(Math.abs(mean(pixels) - 120)).toBeLessThanOrEqual(33);
      expect(Math.max(...pixels) - Math.min(...pixels)).toBeLessThanOrEqual(2);
    }
  });

  it('rotates hues', () => {
    const red: Image = {
      ...flat(0),
      data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, index) => (index % 3 === 0 ? 200 : 40)),
    };
    const colours = Array.from({ length: 50 }, (_, seed) => [
      ...augmented({ ...identity, colour: true }, seed, red).subarray(0, 3),
    ]);
    expect(colours.some(([r, g]) => (g as number) > (r as number) * 0.6)).toBe(true);
    expect(colours.every(([r, , b]) => (r as number) >= (b as number) * 0.5)).toBe(true);
  });

  it('erases 2 to 20 percent of the area with the given probability', () => {
    let erased = 0;
    for (let seed = 0; seed < 200; seed++) {
      const pixels = augmented({ ...identity, erase: 0.5 }, seed, flat(100));
      const changed = pixels.filter((value) => value !== 100).length / pixels.length;
      if (changed > 0) {
        erased++;
        expect(changed).toBeLessThan(0.25);
      }
    }
    expect(erased).toBeGreaterThan(70);
    expect(erased).toBeLessThan(130);
  });

  it('turns about half of the images upside down', () => {
    const rows = (pixels: Uint8Array) => Array.from({ length: 32 }, (_, y) => pixels[y * 96]);
    const upside = rows(gradient().data).reverse();
    const turned = Array.from({ length: 200 }, (_, seed) =>
      rows(augmented({ ...identity, verticalFlip: true }, seed)),
    ).filter((each) => each.join() === upside.join());
    expect(Math.abs(turned.length - 100)).toBeLessThan(30);
  });

  it('rotates by up to the maximum: the corners are black, the middle is not', () => {
    const corners = Array.from({ length: 50 }, (_, seed) => {
      const pixels = augmented({ ...identity, rotation: 20 }, seed, flat(100));
      expect(pixels[(16 * 32 + 16) * 3]).toBe(100);
      return pixels.filter((value) => value === 0).length / pixels.length;
    });
    expect(Math.max(...corners)).toBeGreaterThan(0.02);
    // 4 triangles of 20° at a square: (1 − cos) … of its area; a fifth is far beyond.
    expect(Math.max(...corners)).toBeLessThan(0.2);
  });

  it('applies operations of TrivialAugment and RandAugment', () => {
    for (const policy of [{ trivialAugment: true }, { randAugment: 9 }]) {
      const results = Array.from({ length: 40 }, (_, seed) => augmented({ ...identity, ...policy }, seed));
      expect(
        results.filter((pixels) => pixels.toString() !== gradient().data.toString()).length,
      ).toBeGreaterThan(25);
    }
  });

  it('has a mild setting that keeps nearly the whole image in place', () => {
    expect(mildAugmentation).toMatchObject({ area: null, shift: 2, flip: true, colour: false });
  });
});
