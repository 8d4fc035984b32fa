import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formulaImage } from '../../test/formula-image.ts';
import { readFixture } from '../../test/golden/fixture.ts';
import { resizeAny } from './geometry.ts';
import { cropImage, type Image } from './image.ts';
import { type ResizeKernel, resamplingKernels, resize } from './resize.ts';

interface Case {
  readonly kernel: ResizeKernel;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly base64: string;
}

describe('resize', () => {
  const read = (library: string) => readFixture<{ cases: readonly Case[] }>(`kernels/${library}.json`).cases;
  const cases = [...read('pillow'), ...read('tensorflow')];

  it.each(
    cases.map(
      (sample) =>
        [`${sample.kernel} from ${sample.from.join('×')} to ${sample.to.join('×')}`, sample] as const,
    ),
  )('matches exactly: %s', (_, { kernel, from, to, base64 }) => {
    const expected = Buffer.from(base64, 'base64');
    const { data } = resize(formulaImage(from), kernel, { size: to });
    expect(data.length).toBe(expected.length);
    const differences = Array.from(data, (value, index) => Math.abs(value - (expected[index] as number)));
    // Pillow uses integer arithmetic; TensorFlow's float32 sums may round ties differently.
    const allowed = kernel.startsWith('pillow') ? 0 : 1;
    expect(Math.max(...differences)).toBeLessThanOrEqual(allowed);
    const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
    expect(mean).toBeLessThan(0.01);
  });

  it('resizes grey images as one channel', () => {
    const colour = formulaImage([20, 30]);
    const grey: Image = { ...colour, channels: 1, data: colour.data.filter((_, index) => index % 3 === 0) };
    const both = [
      resize(colour, 'pillow-bicubic', { size: [9, 9] }),
      resize(grey, 'pillow-bicubic', { size: [9, 9] }),
    ] as const;
    expect([...both[1].data]).toEqual([...both[0].data.filter((_, index) => index % 3 === 0)]);
  });

  it.each(resamplingKernels)('computes a part with the bits of the whole: %s', (kernel) => {
    const side = fc.integer({ min: 1, max: 40 });
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(side, side, side, side),
        fc.tuple(fraction, fraction, fraction, fraction),
        fc.boolean(),
        ([fromHeight, fromWidth, height, width], [y, x, h, w], isGrey) => {
          const colour = formulaImage([fromHeight, fromWidth]);
          const image: Image = isGrey
            ? { ...colour, channels: 1, data: colour.data.filter((_, index) => index % 3 === 0) }
            : colour;
          const [top, left] = [Math.floor(y * (height - 1)), Math.floor(x * (width - 1))];
          const part = {
            top,
            left,
            height: Math.max(1, Math.round(h * (height - top))),
            width: Math.max(1, Math.round(w * (width - left))),
          };
          const size = [height, width] as const;
          expect(resizeAny(image, kernel, { size, part })).toEqual(
            cropImage(resizeAny(image, kernel, { size }), part),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});
