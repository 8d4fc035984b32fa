/**
 * Expected values: fastai's published `valley`, `lr_find` and `AvgSmoothLoss` (fastai 2, callback/schedule.py and learner.py),
 * transcribed to Python with NumPy and run on the same formulas:
 *
 *     sections = (max_end - max_start) / 3; idx = max_start + int(sections) + int(sections / 2)
 *     lrs[num_it // 10:-5], losses[num_it // 10:-5], lrs[i] = 1e-7 * 1e8 ** (i / 100)
 */
import { describe, expect, it } from 'vitest';
import { hasDiverged, smoothed, suggestionOf, sweepRates, valleyOf } from './valley.ts';

const steps = 100;
const learningRates = sweepRates({ first: 1e-7, last: 10, steps });
const curve = (loss: (rate: number, step: number) => number) => learningRates.map(loss);

const bowl = curve(
  (rate, step) => 2.3 - 1.8 * Math.exp(-((Math.log10(rate) + 2) ** 2) / 2) + 0.001 * ((step * 7) % 5),
);
const noisy = curve(
  (rate, step) =>
    2.3 / (1 + Math.exp(2 * (Math.log10(rate) + 3))) +
    0.2 +
    (0.05 * (((step * 13) % 11) - 5)) / 5 +
    (rate > 0.3 ? rate : 0),
);
const falling = curve((_, step) => 1 / (step + 1));
const rising = curve((_, step) => step);

describe('the valley of a sweep of learning rates', () => {
  it.each([
    ['a bowl', bowl, 37, 0.0003311311214825911],
    ['noise that falls and diverges', noisy, 55, 0.001],
    ['a loss that only falls', falling, 48, 0.001202264434617413],
  ])('is fastai’s on %s', (_, losses, index, suggestion) => {
    expect(valleyOf(losses)).toBe(index);
    expect(suggestionOf({ learningRates, losses, steps })).toBeCloseTo(suggestion, 12);
  });

  it('is none where the loss never falls', () => {
    expect(valleyOf(rising)).toBeUndefined();
    expect(suggestionOf({ learningRates, losses: rising, steps })).toBeUndefined();
    expect(valleyOf([])).toBeUndefined();
  });

  it('smooths as fastai’s Recorder does', () => {
    const expected = [3, 2.494949, 3.006802, 2.489797];
    for (const [index, value] of smoothed([3, 2, 4, 1]).entries())
      expect(value).toBeCloseTo(expected[index] as number, 6);
    const averages = smoothed(noisy);
    expect([averages[0], averages[49], averages[99]].map((value) => value?.toFixed(9))).toEqual([
      '2.449228695',
      '2.241474410',
      '1.865637493',
    ]);
  });

  it('ends where the smoothed loss is four times its lowest, or no number', () => {
    expect(hasDiverged([2, 1, 4])).toBe(false);
    expect(hasDiverged([2, 1, 4.1])).toBe(true);
    expect(hasDiverged([2, Number.NaN])).toBe(true);
    expect(hasDiverged([2, Number.POSITIVE_INFINITY])).toBe(true);
  });
});
