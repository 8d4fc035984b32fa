/**
 * Expected numbers are scipy's (1.17.1): `permutation_test((d,), mean, permutation_type='samples', n_resamples=inf)`, `t.interval`, `t.ppf`
 * and `gmean`.
 */
import { describe, expect, it } from 'vitest';
import {
  meanInterval,
  ratioInterval,
  signFlipTest,
  smallestP,
  spreadOf,
  studentQuantile,
} from './statistics.ts';

describe('the statistics of an experiment', () => {
  const differences = [-1.2, -0.4, -2.1, 0.3, -0.9];

  it('are the mean, the deviation of the sample and the range', () => {
    const { mean, deviation, min, max, count } = spreadOf(differences);
    expect([mean, deviation]).toEqual([expect.closeTo(-0.86, 12), expect.closeTo(0.8961026726887941, 12)]);
    expect([min, max, count]).toEqual([-2.1, 0.3, 5]);
    expect(spreadOf([3]).deviation).toBeNaN();
  });

  it.each([
    [differences, 0.125],
    [[-1.2, -0.4, -2.1, -0.3, -0.9, -0.5], 0.03125],
    [[0.5, 0.5, -0.5, 1.5], 0.5],
  ])('test %j by all patterns of signs', (values, p) => {
    expect(signFlipTest(values)).toBeCloseTo(p, 12);
    expect(signFlipTest(values.map((value) => -value))).toBeCloseTo(p, 12);
  });

  it('find no difference between equal arms, and no more than the pairs allow', () => {
    expect(signFlipTest([0, 0, 0])).toBe(1);
    expect(signFlipTest([1, 2, 3, 4, 5])).toBe(smallestP(5));
  });

  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 4, 2.7764451051977934],
    [0.95, 9, 1.833112932656237],
    [0.995, 30, 2.7499956535672254],
  ])('know the quantile %f of Student’s t with %i degrees of freedom', (probability, freedom, quantile) => {
    expect(studentQuantile(probability, freedom)).toBeCloseTo(quantile, 9);
  });

  it('give intervals of means and of ratios', () => {
    const { low, high } = meanInterval(differences);
    expect([low, high]).toEqual([
      expect.closeTo(-1.972658427371847, 9),
      expect.closeTo(0.25265842737184685, 9),
    ]);
    const ratio = ratioInterval([0.5, 0.8, 0.6]);
    expect([ratio.mean, ratio.low, ratio.high]).toEqual([
      expect.closeTo(0.6214465011907718, 12),
      expect.closeTo(0.34495154, 7),
      expect.closeTo(1.11956525, 7),
    ]);
  });

  it('refuse too few and too many values', () => {
    expect(() => spreadOf([])).toThrow('no values: expected at least one');
    expect(() => signFlipTest([])).toThrow('expected 1 to 20 pairs, received 0');
    expect(() => meanInterval([1])).toThrow('expected at least two values, received 1');
  });
});
