import { describe, expect, it } from 'vitest';
import { chooseRange, type Histogram, histogramBins } from './range-finding.ts';

/** A histogram over low to high of numbers with this density. */
function histogramOf(low: number, high: number, density: (value: number) => number): Histogram {
  const counts = new Float64Array(histogramBins).map((_, bin) =>
    Math.round(1e6 * density(low + ((bin + 0.5) * (high - low)) / histogramBins)),
  );
  return { low, high, counts };
}

const bell = (value: number): number => Math.exp((-value * value) / 2);

describe('chooseRange', () => {
  it('takes all by min-max, and always zero', () => {
    const counts = new Float64Array(histogramBins).fill(1);
    expect(chooseRange({ low: 2, high: 3, counts }, 'min-max')).toEqual({ low: 0, high: 3 });
    expect(chooseRange({ low: -3, high: -2, counts }, 'min-max')).toEqual({ low: -3, high: 0 });
  });

  it('lets a hundred-thousandth go at each end by percentile', () => {
    const uniform = histogramOf(-1, 1, (value) => (Math.abs(value) < 0.5 ? 1 : 0));
    // One number far out, as an outlier of an activation.
    uniform.counts[histogramBins - 1] = 1;
    const { low, high } = chooseRange(uniform, 'percentile');
    expect(low).toBeCloseTo(-0.5, 2);
    expect(high).toBeCloseTo(0.5, 2);
  });

  it('cuts the thin tail of a distribution by entropy, and not its body', () => {
    const tailed = histogramOf(0, 40, (value) => bell(value) + (value > 39.9 ? 1e-6 : 0));
    const { low, high } = chooseRange(tailed, 'entropy');
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(2.5);
    expect(high).toBeLessThan(10);
  });

  it('keeps the whole of an even distribution by entropy, both signs of it', () => {
    const { low, high } = chooseRange(
      histogramOf(-2, 2, () => 1),
      'entropy',
    );
    expect([low, high]).toEqual([-2, 2]);
  });

  it('does not let the zeros behind a ReLU outweigh all other numbers by entropy', () => {
    const relu = histogramOf(0, 4, bell);
    relu.counts[0] = 1e12;
    expect(chooseRange(relu, 'entropy').high).toBeGreaterThan(2.5);
  });

  it.each(['min-max', 'percentile', 'entropy'] as const)(
    'survives a value that is always zero by %s',
    (method) => {
      const counts = new Float64Array(histogramBins);
      counts[0] = 100;
      expect(chooseRange({ low: 0, high: 0, counts }, method)).toEqual({ low: 0, high: 0 });
    },
  );
});
