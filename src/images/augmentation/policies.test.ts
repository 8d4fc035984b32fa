/** Operations and ranges against torchvision's; test/fixtures/augmentation says how they were computed. */
import { describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { randomFor } from '../../random.ts';
import { type Canvas, flipVertically, rotationBy, transform } from './affine.ts';
import {
  applyOperation,
  drawRandAugment,
  drawTrivialAugment,
  operations,
  randSpace,
  wideSpace,
} from './policies.ts';

type Name = keyof typeof operations;

const fixture = readFixture<{
  readonly size: readonly [number, number];
  readonly images: readonly string[];
  readonly operations: readonly {
    readonly name: Name;
    readonly magnitude: number;
    readonly base64: string;
  }[];
  readonly ranges: readonly {
    readonly space: 'wide' | 'rand';
    readonly name: Name;
    readonly signed: boolean;
    readonly magnitudes: readonly number[] | null;
  }[];
  readonly rotations: readonly { readonly degrees: number; readonly base64: string }[];
}>('augmentation/operations.json');

const bytes = (base64 = ''): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));
const canvas = (): Canvas => ({ pixels: bytes(fixture.images[0]), size: fixture.size });

/** The largest difference, and the fraction of values that differ. */
function differences({ pixels }: Canvas, expected: Uint8Array) {
  expect(pixels).toHaveLength(expected.length);
  const each = Array.from(pixels, (value, index) => Math.abs(value - (expected[index] as number)));
  return { largest: Math.max(...each), fraction: each.filter((by) => by > 0).length / each.length };
}

const spatial = new Set<Name>(['shearX', 'shearY', 'rotate']);

describe('the operations', () => {
  it.each(fixture.operations.map((each) => [`${each.name} ${each.magnitude.toFixed(3)}`, each] as const))(
    'equal torchvision’s: %s',
    (_, { name, magnitude, base64 }) => {
      const changed = canvas();
      operations[name](changed, magnitude);
      const { largest, fraction } = differences(changed, bytes(base64));
      // A pixel between two may be a copy of either: torchvision's positions are float32.
      if (spatial.has(name)) expect(fraction).toBeLessThan(0.01);
      else expect(largest).toBe(0);
    },
  );

  it.each(fixture.ranges.map((each) => [`${each.space} ${each.name}`, each] as const))(
    'have torchvision’s magnitudes: %s',
    (_, { space, name, signed, magnitudes }) => {
      const range = (space === 'wide' ? wideSpace : randSpace)[name];
      expect(range.signed).toBe(signed);
      magnitudes?.forEach((magnitude, number) => {
        expect(range.at(number, fixture.size)).toBeCloseTo(magnitude, 4);
      });
    },
  );

  it('are torchvision’s, no more and no fewer', () => {
    const named = (space: string) =>
      fixture.ranges.filter((each) => each.space === space).map(({ name }) => name);
    expect(Object.keys(wideSpace).sort()).toEqual(named('wide').sort());
    expect(Object.keys(randSpace).sort()).toEqual(named('rand').sort());
  });
});

describe('transform', () => {
  it.each(fixture.rotations)('rotates by $degrees° as torchvision, bilinearly', ({ degrees, base64 }) => {
    const rotated = canvas();
    transform(rotated, rotationBy(degrees), 'bilinear');
    expect(differences(rotated, bytes(base64)).largest).toBeLessThanOrEqual(1);
  });
});

describe('flipVertically', () => {
  it('turns rows around, and back', () => {
    const flipped = canvas();
    flipVertically(flipped);
    const row = fixture.size[1] * 3;
    expect(flipped.pixels.subarray(0, row)).toEqual(canvas().pixels.subarray(-row));
    flipVertically(flipped);
    expect(flipped.pixels).toEqual(canvas().pixels);
  });
});

describe('the policies', () => {
  const drawn = (augment: (canvas: Canvas, random: () => number) => void, seed: number) => {
    const changed = canvas();
    augment(changed, randomFor(seed));
    return changed.pixels;
  };
  const { size } = canvas();
  const trivialAugment = (changed: Canvas, random: () => number) =>
    applyOperation(changed, drawTrivialAugment({ size, random }));
  const strong = (changed: Canvas, random: () => number) => {
    for (const operation of drawRandAugment(15, { size, random })) applyOperation(changed, operation);
  };

  it.each([
    ['TrivialAugment', trivialAugment],
    ['RandAugment', strong],
  ])('%s depends on the random stream alone, and changes most images', (_, augment) => {
    const plain = canvas().pixels.toString();
    const results = Array.from({ length: 60 }, (_, seed) => drawn(augment, seed));
    expect(drawn(augment, 7)).toEqual(results[7]);
    expect(results.filter((pixels) => pixels.toString() !== plain).length).toBeGreaterThan(45);
    expect(new Set(results.map(String)).size).toBeGreaterThan(30);
  });
});
