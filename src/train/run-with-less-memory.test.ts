import { describe, expect, it } from 'vitest';
import { sampleConfiguration } from '../../test/sample-run.ts';
import { resolveRecipe } from './recipe/recipe.ts';
import { halved } from './run-with-less-memory.ts';

describe('a training for which the memory is not enough', () => {
  it('goes on with half the batch and half the learning rate, and records both and why', () => {
    const recipe = resolveRecipe('small-data');
    const half = halved({ ...sampleConfiguration, recipe }, 'step 12: out of memory');
    expect(half.recipe).toEqual({ ...recipe, batch: 32, learningRate: 0.075 });
    expect(half.fitted).toEqual({ batch: { asked: 64, taken: 32, reason: 'step 12: out of memory' } });
    expect(half.decisions).toEqual([
      'out of memory: batch of 32 instead of 64, and learning rate 0.075 instead of 0.15',
    ]);
    expect(halved(half, 'again').fitted?.batch).toEqual({ asked: 64, taken: 16, reason: 'again' });
  });
});
