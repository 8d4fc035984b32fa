/** The command that repeats a run is read back by the command line's own readers. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addDeclared, readDeclared } from '../src/cli/options/declared-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../src/cli/options/network-options.ts';
import { addRecipeOptions, readRecipe } from '../src/cli/options/recipe-options.ts';
import type { Configuration } from '../src/train/configuration/configuration.ts';
import { repeatCommand } from '../src/train/configuration/repeat-command.ts';
import { runNumbers } from '../src/train/configuration/run-options.ts';
import { type RecipeOverrides, resolveRecipe } from '../src/train/recipe/recipe.ts';
import { sampleConfiguration } from './sample-run.ts';

/** As a shell would part it: no argument here has a space. */
function read(configuration: Configuration) {
  const { command } = repeatCommand(configuration, { output: 'runs/again' });
  const args = command.split(' ').map((arg) => arg.replace(/^'(.*)'$/, '$1'));
  const parser = new Command().argument('[network]');
  for (const flag of [
    '--weights <m>',
    '--data <d>',
    '--output <o>',
    '--processes <n>',
    '--precision <p>',
    '--device <d>',
  ])
    parser.option(flag);
  addDeclared(parser, runNumbers);
  addNetworkOptions(parser, { except: ['classes', 'inputChannels'] });
  addRecipeOptions(parser);
  parser.parse(args.slice(2), { from: 'user' });
  const values = parser.opts();
  const { name, ...overrides } = readRecipe(values, values);
  return {
    network: parser.args[0],
    values,
    options: readNetworkOptions(values),
    numbers: readDeclared(runNumbers, values),
    recipe: resolveRecipe(name, overrides as RecipeOverrides),
  };
}

describe('the command that repeats a run', () => {
  it.each([
    ['paper', {}],
    ['small-data', { epochs: 3.5, batch: 16, learningRate: 0.3 }],
    [
      'paper',
      {
        optimizer: { kind: 'sgd', momentum: 0.8, nesterov: true },
        schedule: { kind: 'cosine', warmup: 2 },
        clipNorm: 2,
        keepBest: true,
        patience: 9,
        sampling: 'balanced',
        classWeights: 'balanced',
        augmentation: { area: [0.5, 1], flip: false, colour: false, erase: 0.25, mixup: 0.2 },
      },
    ],
    ['fine-tune', { freeze: 'reductionA', layerDecay: 0.8, keepBest: false, augmentation: { area: null } }],
    ['paper', { replicas: 4, batch: 8, reduce: 'bfloat16', batchNorm: 'synchronised' }],
  ] as const satisfies readonly (readonly [string, RecipeOverrides])[])(
    'has the recipe, to the number: %s %j',
    (name, overrides) => {
      const recipe = resolveRecipe(name, overrides);
      expect(read({ ...sampleConfiguration, recipe }).recipe).toEqual(recipe);
    },
  );

  it("has the network's options and the run's numbers", () => {
    const options = { classes: 2, width: 0.25, blocks: { A: 1, B: 2, C: 1 }, inputSize: 75, gamma: false };
    const { network, ...found } = read({
      ...sampleConfiguration,
      options,
      network: 'inception-resnet-v2',
      seed: 7,
      validation: 0.1,
      limitTrain: 500,
      evaluateEvery: 2,
      saveEverySteps: 50,
      processes: 2,
    });
    expect(network).toBe('inception-resnet-v2');
    expect(found.options).toEqual({ width: 0.25, blocks: { A: 1, B: 2, C: 1 }, inputSize: 75, gamma: false });
    expect(found.numbers).toEqual({
      seed: 7,
      validation: 0.1,
      limitTrain: 500,
      evaluateEvery: 2,
      saveEvery: 50,
    });
    expect(found.values).toMatchObject({
      processes: '2',
      precision: 'float32',
      device: 'cpu',
      data: 'photos',
    });
  });

  it('names the weights, and only what was changed of their network', () => {
    const weights = {
      source: 'hub:timm/inception_v3.tv_in1k',
      sha256: '',
      kept: [],
      reinitialised: [],
      auxiliary: 'none',
      changed: ['inputSize: 299 in the weights, 139 here'],
      decisions: [],
    } as const;
    const { network, values, options } = read({
      ...sampleConfiguration,
      recipe: resolveRecipe('fine-tune'),
      options: { classes: 2, inputSize: 139, width: 0.5 },
      weights,
    });
    expect(network).toBeUndefined();
    expect(values.weights).toBe('hub:timm/inception_v3.tv_in1k');
    expect(options).toEqual({ inputSize: 139 });
  });

  it('quotes what a shell would part, and says what it cannot say', () => {
    const { command, remarks } = repeatCommand(
      {
        ...sampleConfiguration,
        data: "/data/Anna's photos",
        recipe: resolveRecipe('paper', { classWeights: { cat: 2, dog: 1 } }),
        changes: [{ step: 10, what: 'epochs', from: 5, to: 10 }],
      },
      { output: 'runs/again' },
    );
    expect(command).toBe(
      "inception train inception-v4 --data '/data/Anna'\\''s photos' --output runs/again --recipe paper --epochs 160 --batch 32 --learning-rate 0.00225 --seed 1 --precision float32 --device cpu",
    );
    expect(remarks).toEqual([
      'the class weights came from a file: --class-weights FILE has to be added',
      'it was resumed with other settings (epochs 5 to 10); the command has the last ones from the beginning',
      'it was trained by version 0.1.0 with libtorch 1.13.1; others, and other processors, round differently',
    ]);
  });
});
