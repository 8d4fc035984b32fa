import { describe, expect, it } from 'vitest';
import { sampleConfiguration } from '../../test/sample-run.ts';
import { OutOfMemoryError } from '../engine/engine.ts';
import { resolveRecipe } from './recipe/recipe.ts';
import { halved } from './run-with-less-memory.ts';

describe('a training for which the memory is not enough', () => {
  it('goes on with half the batch and half the learning rate, and records both and why', () => {
    const recipe = resolveRecipe('small-data');
    const half = halved({ ...sampleConfiguration, recipe }, new OutOfMemoryError('step 12: out of memory'));
    expect(half.recipe).toEqual({ ...recipe, batch: 32, learningRate: 0.075 });
    expect(half.fitted).toEqual({ batch: { asked: 64, taken: 32, reason: 'step 12: out of memory' } });
    expect(half.decisions).toEqual([
      'out of memory: batch of 32 instead of 64, and learning rate 0.075 instead of 0.15',
    ]);
    expect(halved(half, new OutOfMemoryError('again')).fitted?.batch).toEqual({
      asked: 64,
      taken: 16,
      reason: 'again',
    });
  });

  it('no longer has the steps that were fitted to a time with the larger batch, and says so', () => {
    const recipe = resolveRecipe('small-data');
    const time = { seconds: 60, steps: 90, stepSeconds: 0.5, evaluationSeconds: 3 };
    const half = halved(
      { ...sampleConfiguration, recipe, fitted: { time } },
      new OutOfMemoryError('out of memory'),
    );
    expect(half.fitted).not.toHaveProperty('time');
    expect(half.decisions).toContain(
      '20 epochs were fitted to 60 s with the larger batch, and may take longer with the smaller one',
    );
  });

  it('lowers the learning rate as much as an odd batch', () => {
    const recipe = { ...resolveRecipe('small-data'), batch: 5, learningRate: 0.5 };
    const half = halved({ ...sampleConfiguration, recipe }, new OutOfMemoryError('out of memory'));
    expect(half.recipe).toMatchObject({ batch: 2, learningRate: 0.2 });
  });

  it('ends with what ended it, where that is not the memory or the batch cannot be halved', () => {
    const tooSmall = { ...sampleConfiguration, recipe: { ...resolveRecipe('small-data'), batch: 3 } };
    expect(() => halved(tooSmall, new OutOfMemoryError('out of memory'))).toThrow('out of memory');
    expect(() => halved(sampleConfiguration, new Error('another'))).toThrow('another');
  });
});
