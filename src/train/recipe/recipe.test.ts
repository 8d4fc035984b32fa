import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { usualOptimizers } from '../../compile/optimizers/optimizers.ts';
import type { Augmentation } from '../../images/augmentation.ts';
import { findNetwork } from '../../networks/networks.ts';
import {
  averageDecayAt,
  batchNormMomentumAt,
  learningRateAt,
  type RecipeOverrides,
  refuseIdleNumbers,
  refuseIdleResiduals,
  resolveRecipe,
} from './recipe.ts';
import { recipeNumbers } from './recipe-options.ts';

describe('augmentation of a recipe', () => {
  it('leaves colours to TrivialAugment or RandAugment, unless both are asked for', () => {
    const colourOf = (augmentation: Partial<Augmentation>) =>
      resolveRecipe('paper', { augmentation }).augmentation.colour;
    expect(colourOf({})).toBe(true);
    expect(colourOf({ trivialAugment: true })).toBe(false);
    expect(colourOf({ randAugment: 9 })).toBe(false);
    expect(colourOf({ randAugment: 9, colour: true })).toBe(true);
  });

  it('refuses two policies, and to mix an image with itself', () => {
    const refuse = (overrides: RecipeOverrides) => () =>
      refuseIdleNumbers(resolveRecipe('paper', overrides), { auxiliary: false, fromWeights: true });
    expect(refuse({ augmentation: { trivialAugment: true, randAugment: 9 } })).toThrow(
      "'augmentation.trivialAugment' and 'augmentation.randAugment': expected one of them",
    );
    expect(refuse({ batch: 1, augmentation: { mixup: 0.2 } })).toThrow('expected a batch of at least 2');
    expect(refuse({ batch: 2, augmentation: { mixup: 0.2 } })).not.toThrow();
  });
});

describe('numbers of residual blocks', () => {
  it.each([
    ['residualRate', { residualRate: 0.2 }],
    ['residualInit', { residualInit: 0.2 }],
  ])('are refused where there are none: %s', (name, overrides) => {
    const recipe = resolveRecipe('paper', overrides);
    expect(() => refuseIdleResiduals(recipe, findNetwork('inception-v4'))).toThrow(
      `recipe option '${name}': has no effect in inception-v4, which has no residual blocks`,
    );
    expect(() => refuseIdleResiduals(recipe, findNetwork('inception-resnet-v1'))).not.toThrow();
  });

  it('are not initial values where trained weights are', () => {
    const recipe = resolveRecipe('fine-tune', { residualInit: 0.2 });
    expect(() => refuseIdleNumbers(recipe, { auxiliary: false, fromWeights: true })).toThrow(
      "recipe option 'residualInit': has no effect with weights to start from, which are trained",
    );
  });
});

describe('the recipe of the paper', () => {
  const recipe = resolveRecipe('paper');

  it('has the paper’s numbers, with the learning rate scaled down from 20 replicas of 32 images', () => {
    expect(recipe).toMatchObject({
      optimizer: { kind: 'rmsprop', decay: 0.9, epsilon: 1, momentum: 0.9 },
      weightDecay: 4e-5,
      labelSmoothing: 0.1,
      averageDecay: 0.9999,
      batchNormMomentum: 0.0003,
      clipNorm: null,
      schedule: { kind: 'staircase', factor: 0.94, every: 2 },
      augmentation: { area: [0.08, 1], aspect: [3 / 4, 4 / 3], flip: true, colour: true },
      evaluationCrop: 0.875,
    });
    expect(resolveRecipe('paper', { batch: 640 }).learningRate).toBeCloseTo(0.045, 12);
    expect(recipe.learningRate).toBeCloseTo((0.045 * 32) / 640, 12);
  });

  it('multiplies the learning rate by 0.94 every two epochs', () => {
    const rateAt = (epoch: number) =>
      learningRateAt(epoch * 100, { recipe: { ...recipe, learningRate: 0.045 }, stepsPerEpoch: 100 });
    expect([0, 1.99, 2, 3.5, 4, 20].map(rateAt)).toEqual([
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
  const rateAt = (step: number) => learningRateAt(step, { recipe, stepsPerEpoch: 10 });

  it('rises linearly during warm-up, then falls to zero', () => {
    expect([0, 4, 9].map(rateAt)).toEqual([0.1, 0.5, 1]);
    expect(rateAt(10)).toBe(1);
    expect(rateAt(60)).toBeCloseTo(0.5, 12);
    expect(rateAt(109)).toBeLessThan(0.001);
    expect(rateAt(200)).toBe(0);
  });

  it('limits the warm-up to half of a short training', () => {
    const short = { ...recipe, epochs: 1 };
    expect(learningRateAt(4, { recipe: short, stepsPerEpoch: 10 })).toBe(1);
  });
});

describe('resolveRecipe', () => {
  it('accepts overrides, also of single augmentation options', () => {
    const recipe = resolveRecipe('small-data', { epochs: 3, augmentation: { erase: 0.5 } });
    expect(recipe).toMatchObject({
      name: 'small-data',
      epochs: 3,
      augmentation: { erase: 0.5, shift: 2, flip: true },
    });
  });

  it('takes the typical learning rate of another optimiser, unless one is set', () => {
    const optimizer = usualOptimizers.adamw;
    expect(resolveRecipe('paper', { optimizer }).learningRate).toBe(0.001);
    expect(resolveRecipe('paper', { optimizer, learningRate: 0.003 }).learningRate).toBe(0.003);
    expect(resolveRecipe('paper', { optimizer, batch: 64 }).learningRate).toBe(0.002);
    const sameOptimizer = { optimizer: { ...usualOptimizers.rmsprop, momentum: 0.5 } };
    expect(resolveRecipe('paper', sameOptimizer).learningRate).toBe(resolveRecipe('paper').learningRate);
  });

  it.each<[name: string, overrides: object, message: string]>([
    ['imagenet', {}, "no recipe is called 'imagenet'; there are paper, small-data"],
    ['constructor', {}, "no recipe is called 'constructor'"],
    [
      'paper',
      { optimizer: { kind: 'rmsprop', decay: 0.9, epsilon: 1, momentum: 1 } },
      "recipe option 'optimizer.momentum': expected a number of at least 0 and below 1; received 1",
    ],
    ['paper', { learningRate: 0 }, "recipe option 'learningRate': expected a number above 0; received 0"],
    ['paper', { clipNorm: -1 }, "recipe option 'clipNorm': expected a number above 0, or null; received -1"],
    [
      'paper',
      { batch: 2.5 },
      "recipe option 'batch': expected a whole number of at least 1 and at most 65536; received 2.5",
    ],
    [
      'paper',
      { schedule: { kind: 'cosine' } },
      "recipe option 'schedule.warmup': expected a number of at least 0 and at most 1000000; received nothing",
    ],
    [
      'paper',
      { schedule: { kind: 'linear' } },
      'recipe option \'schedule.kind\': expected staircase or cosine; received "linear"',
    ],
    [
      'paper',
      { augmentation: { erase: 2 } },
      "recipe option 'augmentation.erase': expected a number of at least 0 and at most 1; received 2",
    ],
    ['paper', { epoch: 2 }, "unknown recipe option 'epoch'; there are epochs, batch, replicas,"],
  ])('refuses %s with %o', (name, overrides, message) => {
    expect(() => resolveRecipe(name, overrides as RecipeOverrides)).toThrow(message);
  });
});

describe('averageDecayAt', () => {
  it('follows the newest weights at first, as TensorFlow’s num_updates does', () => {
    expect([0, 9, 90].map((step) => averageDecayAt(step, 0.9999))).toEqual([0.1, 10 / 19, 0.91]);
    expect(averageDecayAt(1_000_000, 0.9999)).toBe(0.9999);
  });
});

describe('batchNormMomentumAt', () => {
  it.each([
    ['one step', 1],
    ['a hundred steps', 100],
    ['a hundred thousand steps', 100_000],
  ])(
    'leaves less than a tenth of a percent of the initial statistics, or what the momentum says, after %s',
    (_, steps) => {
      for (const momentum of [0.0003, 0.01]) {
        let remaining = 1;
        for (let step = 0; step < steps; step++) remaining *= 1 - batchNormMomentumAt(step, momentum);
        const remainingByRule = steps === 1 ? 0.1 : 1e-3;
        expect(remaining).toBeLessThanOrEqual(remainingByRule * (1 + 1e-9));
      }
    },
  );

  it('is the recipe’s own at its full length', () => {
    expect(batchNormMomentumAt(29_989, 0.0003)).toBeGreaterThan(0.0003);
    expect(batchNormMomentumAt(29_990, 0.0003)).toBeCloseTo(0.0003, 12);
    expect(batchNormMomentumAt(6_000_000, 0.0003)).toBe(0.0003);
    expect(batchNormMomentumAt(891, 0.01)).toBe(0.01);
  });
});

describe('the recipe for fine-tuning', () => {
  const page = readFileSync(new URL('../../../docs/fine-tuning.md', import.meta.url), 'utf8');

  it('has the numbers that docs/fine-tuning.md argues for', () => {
    const recipe = resolveRecipe('fine-tune');
    const table = page.split(/^## /m).find((section) => section.startsWith('The recipe')) ?? '';
    const values = new Map<string, string>();
    for (const [, flags = '', defaults = ''] of table.matchAll(/^\| (`--[^|]*) \| ([^|]*) \|/gm))
      for (const [index, [, flag = '']] of [...flags.matchAll(/`(--[a-z-]+)`/g)].entries())
        values.set(flag, defaults.split(', ')[index] ?? '');
    const { optimizer, schedule, augmentation } = recipe;
    expect(Object.fromEntries(values)).toMatchObject({
      '--optimizer': optimizer.kind,
      '--schedule': schedule.kind,
      '--warmup': schedule.kind === 'cosine' ? String(schedule.warmup) : '',
      '--crop-area': String(augmentation.area?.[0]),
      '--flip': augmentation.flip ? 'on' : 'off',
      '--colour': augmentation.colour ? 'on' : 'off',
    });
    for (const [name, { flag }] of Object.entries(recipeNumbers)) {
      const value = values.get(flag.split(' ')[0] ?? '');
      const number = recipe[name as keyof typeof recipeNumbers];
      if (value !== undefined) expect(value, name).toBe(typeof number === 'boolean' ? 'on' : String(number));
    }
    expect([...values.keys()]).toEqual(expect.arrayContaining(['--epochs', '--batch', '--learning-rate']));
  });

  it('takes a fifth of the usual rate of another optimiser', () =>
    expect(resolveRecipe('fine-tune', { optimizer: usualOptimizers.sgd }).learningRate).toBeCloseTo(
      0.01,
      12,
    ));
});
