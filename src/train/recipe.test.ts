import { describe, expect, it } from 'vitest';
import { averageDecayAt, learningRateAt, resolveRecipe } from './recipe.ts';

describe('the recipe of the paper', () => {
  const recipe = resolveRecipe('paper');

  it('has the paper’s numbers, the learning rate scaled from 20 replicas of 32 images', () => {
    expect(recipe).toMatchObject({
      rmsDecay: 0.9,
      rmsEpsilon: 1,
      momentum: 0.9,
      weightDecay: 4e-5,
      labelSmoothing: 0.1,
      averageDecay: 0.9999,
      batchNormMomentum: 0.0003,
      clipNorm: null,
      schedule: { kind: 'staircase', factor: 0.94, every: 2 },
      distortion: { area: [0.08, 1], aspect: [3 / 4, 4 / 3], flip: true, colour: true },
      evaluationCrop: 0.875,
    });
    expect(resolveRecipe('paper', { batch: 640 }).learningRate).toBeCloseTo(0.045, 12);
    expect(recipe.learningRate).toBeCloseTo((0.045 * 32) / 640, 12);
  });

  it('multiplies the learning rate by 0.94 every two epochs', () => {
    const at = (epoch: number) =>
      learningRateAt(epoch * 100, { recipe: { ...recipe, learningRate: 0.045 }, stepsPerEpoch: 100 });
    expect([0, 1.99, 2, 3.5, 4, 20].map(at)).toEqual([
      0.045,
      0.045,
      0.045 * 0.94,
      0.045 * 0.94,
      0.045 * 0.94 ** 2,
      0.045 * 0.94 ** 10,
    ]);
  });
});

describe('the cosine schedule', () => {
  const recipe = resolveRecipe('small-data', {
    epochs: 11,
    learningRate: 1,
    schedule: { kind: 'cosine', warmup: 1 },
  });
  const at = (step: number) => learningRateAt(step, { recipe, stepsPerEpoch: 10 });

  it('rises linearly in the warm-up, then falls to nothing', () => {
    expect([0, 4, 9].map(at)).toEqual([0.1, 0.5, 1]);
    expect(at(10)).toBe(1);
    expect(at(60)).toBeCloseTo(0.5, 12);
    expect(at(109)).toBeLessThan(0.001);
    expect(at(200)).toBe(0);
  });

  it('warms up for half of a training that is shorter than the warm-up', () => {
    const short = { ...recipe, epochs: 1 };
    expect(learningRateAt(4, { recipe: short, stepsPerEpoch: 10 })).toBe(1);
  });
});

describe('resolveRecipe', () => {
  it('takes overrides, and single entries of the distortion', () => {
    const recipe = resolveRecipe('small-data', { epochs: 3, distortion: { erase: 0.5 } });
    expect(recipe).toMatchObject({
      name: 'small-data',
      epochs: 3,
      distortion: { erase: 0.5, shift: 2, flip: true },
    });
  });

  it.each([
    ['imagenet', {}, "no recipe is called 'imagenet'; there are paper, small-data"],
    ['constructor', {}, "no recipe is called 'constructor'"],
    ['paper', { momentum: 1 }, 'momentum: expected a number of at least 0 and below 1, received 1'],
    ['paper', { learningRate: 0 }, 'learningRate: expected a number above 0, received 0'],
    ['paper', { clipNorm: -1 }, 'clipNorm: expected a number above 0, received -1'],
    ['paper', { batch: 2.5 }, 'batch: expected a whole number of at least 1, received 2.5'],
  ])('refuses %s with %o', (name, overrides, message) => {
    expect(() => resolveRecipe(name, overrides)).toThrow(message);
  });
});

describe('averageDecayAt', () => {
  it('follows the newest weights at first, as TensorFlow’s num_updates does', () => {
    expect([0, 9, 90].map((step) => averageDecayAt(step, 0.9999))).toEqual([0.1, 10 / 19, 0.91]);
    expect(averageDecayAt(1_000_000, 0.9999)).toBe(0.9999);
  });
});
