import { describe, expect, it } from 'vitest';
import type { Parameter } from '../graph/graph.ts';
import { initialValues } from './initialise.ts';

const weight = (name: string, shape: number[]): Parameter => ({ name, role: 'convWeight', shape });
const variance = (values: Float32Array): number =>
  values.reduce((sum, value) => sum + value * value, 0) / values.length;

describe('initialValues', () => {
  it('scales convolution weights to variance 2 / fan-in, truncated at two deviations', () => {
    const values = initialValues(weight('stem/conv3/weight', [256, 64, 3, 3]), 1);
    expect(variance(values) / (2 / 576)).toBeCloseTo(1, 1);
    const deviation = Math.sqrt(2 / 576) / 0.8796;
    expect(Math.max(...values.subarray(0, 100_000))).toBeLessThanOrEqual(2 * deviation);
  });

  it('scales Linear convolutions and dense weights to variance 1 / fan-in', () => {
    const linear = initialValues({ name: 'a', role: 'residualWeight', shape: [384, 128, 1, 1] }, 1);
    expect(variance(linear) / (1 / 128)).toBeCloseTo(1, 1);
    const dense = initialValues({ name: 'logits/weight', role: 'linearWeight', shape: [100, 1536] }, 1);
    expect(variance(dense) / (1 / 1536)).toBeCloseTo(1, 1);
  });

  it('makes what residual blocks add smaller where that is asked for, and nothing else', () => {
    const of = (role: Parameter['role'], options = {}) =>
      initialValues({ name: 'a', role, shape: [4, 8, 1, 1] }, 1, options);
    const fifth = of('residualWeight', { residualInit: 0.2 });
    expect([...fifth]).toEqual(Array.from(of('residualWeight'), (value) => expect.closeTo(value / 5, 6)));
    expect(of('convWeight', { residualInit: 0.2 })).toEqual(of('convWeight'));
  });

  it('depends on the seed and the name', () => {
    const values = (name: string, seed: number) => initialValues(weight(name, [8, 8, 1, 1]), seed);
    expect(values('a/weight', 1)).toEqual(values('a/weight', 1));
    expect(values('a/weight', 1)).not.toEqual(values('a/weight', 2));
    expect(values('a/weight', 1)).not.toEqual(values('b/weight', 1));
  });

  it('initialises batch normalisation as the identity', () => {
    const valuesOf = (role: Parameter['role']) => [...initialValues({ name: 'x', role, shape: [2] }, 1)];
    expect(valuesOf('gamma')).toEqual([1, 1]);
    expect(valuesOf('beta')).toEqual([0, 0]);
    expect(valuesOf('movingMean')).toEqual([0, 0]);
    expect(valuesOf('movingVariance')).toEqual([1, 1]);
  });
});
