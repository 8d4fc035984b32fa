import { describe, expect, it } from 'vitest';
import { sampleConfiguration } from '../../../test/sample-run.ts';
import { resolveRecipe } from '../recipe/recipe.ts';
import type { ResumeOptions } from '../train-options.ts';
import type { Configuration } from './configuration.ts';
import { changesBetween, continued, describeChanges, onEngine } from './continue-run.ts';

const configuration: Configuration = {
  ...sampleConfiguration,
  data: '/photos',
  recipe: resolveRecipe('small-data', { epochs: 2, learningRate: 0.1 }),
};

describe('a resumed run', () => {
  it('takes more epochs, a lower learning rate and a folder that has moved', () => {
    const recipe = { epochs: 4, learningRate: 0.01 };
    expect(continued(configuration, { resume: 'runs/a', data: '/moved', recipe })).toEqual({
      ...configuration,
      data: '/moved',
      recipe: { ...configuration.recipe, ...recipe },
    });
    expect(continued(configuration, { resume: 'runs/a' })).toEqual(configuration);
  });

  it.each<[options: object, message: RegExp]>([
    [
      { recipe: { epochs: 1 } },
      /^epochs: the run has 2; a resumed run takes the same number or more, received 1$/,
    ],
    [{ recipe: { learningRate: 0.2 } }, /^learning rate: the run has 0\.1; .* received 0\.2$/],
    [
      { recipe: { epochs: -1 } },
      /^recipe option 'epochs': expected a number above 0 and at most 1000000; received -1$/,
    ],
    [{ recipe: { batch: 7 } }, /^recipe\.batch: cannot change when a run is resumed; only more epochs, /],
    [{ evaluateEvery: 0 }, /^option 'evaluateEvery': expected .* at least 1; received 0$/],
    [{ seed: 9 }, /^seed: cannot change when a run is resumed/],
    [{ options: { width: 3 } }, /^options: cannot change when a run is resumed/],
    [{ network: 'inception-v3' }, /^runs\/a trains inception-v4, not inception-v3$/],
  ])('refuses %o by name', (options, message) => {
    expect(() => continued(configuration, { resume: 'runs/a', ...options } as ResumeOptions)).toThrow(
      message,
    );
  });

  it('records what has changed, and says what it does to the learning rate and to the last bits', () => {
    const asked = continued(configuration, { resume: 'runs/a', recipe: { epochs: 4 } });
    const { inception, libtorch } = configuration.versions;
    const after = onEngine(asked, { device: 'cpu', threads: 1, libtorch });
    const changes = changesBetween(configuration, { after, step: 8 }).filter(
      ({ from }) => from !== inception,
    );
    expect(changes).toEqual([
      { step: 8, what: 'epochs', from: 2, to: 4 },
      { step: 8, what: 'threads', from: 2, to: 1 },
    ]);
    expect(describeChanges(changes, { before: configuration, after, stepsPerEpoch: 4 })).toEqual([
      { kind: 'note', message: 'epochs: 2 before, 4 from here on' },
      {
        kind: 'warning',
        message: 'threads: 2 before, 1 from here on; results may differ in their last bits',
      },
      {
        kind: 'note',
        // Half a cosine over epochs 1 to 4, a third of the way: 0.1 · (1 + cos(π / 3)) / 2.
        message: 'the learning rate after step 8 is 0.0750; before the change it was 0.00',
      },
    ]);
    const rarer = continued(configuration, { resume: 'runs/a', evaluateEvery: 2 });
    expect(changesBetween(configuration, { after: rarer, step: 8 })).toEqual([
      { step: 8, what: 'epochs between evaluations', from: 1, to: 2 },
    ]);
    expect(describeChanges([], { before: configuration, after: configuration, stepsPerEpoch: 4 })).toEqual(
      [],
    );
  });
});
