import { describe, expect, it } from 'vitest';
import { learningRateAt, resolveRecipe } from '../recipe/recipe.ts';
import { describeTime, fitRecipe, fitTime, stepsWithin } from './time-budget.ts';

const timed = { stepSeconds: 2, evaluationSeconds: 10, stepsPerEpoch: 20, evaluateEvery: 1 };

describe('a budget of time', () => {
  it('has room for whole epochs with their evaluations, and for a part of one with its own', () => {
    // An epoch and its evaluation take 50 s.
    expect(stepsWithin(100, timed)).toBe(40);
    expect(stepsWithin(111, timed)).toBe(40);
    expect(stepsWithin(112, timed)).toBe(41);
    expect(stepsWithin(149, timed)).toBe(59);
    expect(stepsWithin(9, timed)).toBe(0);
    // Two epochs share an evaluation: 90 s.
    expect(stepsWithin(180, { ...timed, evaluateEvery: 2 })).toBe(80);
  });

  it('keeps a part back, and counts what was spent before the first step', () => {
    expect(fitTime(200, { ...timed, spent: 40 }).steps).toBe(60);
  });

  it('is refused where it is not enough for a step, with the time that is', () => {
    expect(() => fitTime(15, { ...timed, spent: 4 })).toThrow(
      '--time 15s: what comes before and after the steps takes 4.0 s, a step takes 2.00 s and an evaluation 10.0 s; expected at least 17s, or smaller images, fewer of them or a narrower network',
    );
    expect(fitTime(17, { ...timed, spent: 4 }).steps).toBe(1);
  });

  it('stretches the schedule with the epochs', () => {
    const [cosine, staircase] = [resolveRecipe('small-data'), resolveRecipe('paper')];
    const fit = { steps: 30, stepsPerEpoch: 20, hasOwnPatience: false };
    const [half, steps] = [fitRecipe(cosine, fit), fitRecipe(staircase, fit)];
    expect(half).toEqual({ ...cosine, epochs: 1.5 });
    expect(learningRateAt(29, { recipe: half, stepsPerEpoch: 20 })).toBeLessThan(0.1 * cosine.learningRate);
    // 160 epochs in steps of 2 are 80 steps, which 1.5 epochs have too.
    expect(steps.schedule).toEqual({ kind: 'staircase', factor: 0.94, every: (2 * 1.5) / 160 });
    const fitted = { seconds: 90, steps: 30, stepSeconds: 2.0004, evaluationSeconds: 10 };
    expect(describeTime(fitted, { before: cosine, after: half })).toBe(
      'time: 90 s, at 2 s a step and 10 s an evaluation: 30 steps, 1.5 epochs (20 without --time), the whole schedule of the learning rate',
    );
    expect(describeTime(fitted, { before: staircase, after: steps })).toMatch(
      /1\.5 epochs \(160 without --time\), a decay every 0\.018[78] epochs$/,
    );
  });

  it('gives patience its usual part of the epochs, unless it was asked for', () => {
    const recipe = resolveRecipe('small-data', { epochs: 'auto' });
    const fit = { steps: 2000, stepsPerEpoch: 20 };
    expect(fitRecipe(recipe, { ...fit, hasOwnPatience: false }).patience).toBe(25);
    expect(fitRecipe(recipe, { ...fit, hasOwnPatience: true }).patience).toBe(recipe.patience);
  });
});
