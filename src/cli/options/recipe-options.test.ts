/** The recipe that the command line gives to `train`. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addRecipeOptions, readRecipe } from './recipe-options.ts';

const read = (args: readonly string[], given = {}) =>
  readRecipe(addRecipeOptions(new Command()).parse(args, { from: 'user' }).opts(), given);

describe('readRecipe', () => {
  it('changes nothing of a recipe that is only named', () =>
    expect(read(['--recipe', 'small-data'])).toEqual({ name: 'small-data', augmentation: {} }));

  it('is paper by default, and fine-tune for weights to start from', () => {
    expect(read([])).toMatchObject({ name: 'paper' });
    expect(read([], { weights: 'runs/first' })).toMatchObject({ name: 'fine-tune' });
  });

  it('takes what switches a number off, which commander would take for an argument that is missing', () =>
    expect(read(['--crop-area', '1', '--patience', 'off', '--clip-norm', 'off'])).toMatchObject({
      patience: null,
      clipNorm: null,
      augmentation: { area: null },
    }));

  it('takes both forms of a switch', () =>
    expect(read(['--no-flip', '--colour'])).toMatchObject({ augmentation: { flip: false, colour: true } }));
});
