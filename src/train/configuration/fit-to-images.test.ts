import { describe, expect, it } from 'vitest';
import { resolveRecipe } from '../recipe/recipe.ts';
import { fitToImages } from './fit-to-images.ts';

const fitted = (images: number, isAsked = false) =>
  fitToImages(resolveRecipe('fine-tune', { batch: 32 }), {
    images,
    fromWeights: true,
    isEpochsOpen: false,
    isPaceOpen: true,
    ofBatch: isAsked ? undefined : (batch) => resolveRecipe('fine-tune', { batch }),
  });

describe('fitToImages', () => {
  it('makes one batch of fewer images than the recipe’s, and its learning rate follows', () => {
    const { recipe, decisions } = fitted(8);
    expect(recipe).toMatchObject({
      batch: 8,
      learningRate: resolveRecipe('fine-tune', { batch: 8 }).learningRate,
    });
    expect(decisions).toEqual([
      `batch of 8, which are all training images, instead of 32; learning rate ${recipe.learningRate} with it`,
    ]);
  });

  it('leaves a batch that was asked for', () =>
    expect(fitted(8, true)).toMatchObject({ recipe: { batch: 32 } }));

  it('gives a fine-tuning on few images enough steps, and not an evaluation for each of its short epochs', () => {
    const fit200 = (images: number, name = 'fine-tune', isPaceOpen = true) =>
      fitToImages(resolveRecipe(name, { batch: 16 }), {
        images,
        fromWeights: true,
        ofBatch: undefined,
        isEpochsOpen: true,
        isPaceOpen,
      });
    const few = fit200(48);
    // 3 steps an epoch.
    expect(few).toMatchObject({ recipe: { epochs: 67 }, evaluateEvery: 4 });
    expect(few.decisions).toEqual([
      '67 epochs instead of 10, for at least 200 steps with 48 training images; evaluations every 4 epochs',
    ]);
    const asked = fit200(48, 'fine-tune', false);
    expect(asked).not.toHaveProperty('evaluateEvery');
    expect(asked.decisions).toEqual([
      '67 epochs instead of 10, for at least 200 steps with 48 training images',
    ]);
    expect(fit200(320)).toMatchObject({ recipe: { epochs: 10 }, decisions: [] });
    expect(fit200(48, 'small-data').recipe.epochs).toBe(20);
  });

  it('counts the images that each epoch leaves out', () => {
    expect(fitted(33).decisions).toEqual([
      '1 of 33 training images does not fill a batch of 32: each epoch leaves out as many, chosen at random',
    ]);
    expect(fitted(64).decisions).toEqual([]);
  });

  const advice = (name: string, images: number, fromWeights = false) =>
    fitToImages(resolveRecipe(name), {
      images,
      fromWeights,
      ofBatch: undefined,
      isEpochsOpen: true,
      isPaceOpen: true,
    }).decisions;

  it('names weights and small-data to who trains the paper’s recipe on a few hundred images', () => {
    expect(advice('paper', 384)).toEqual([
      "384 images are few for recipe paper and random weights, which were made for ImageNet's 1.28 million: --weights MODEL starts from trained weights, and --recipe small-data is for less",
    ]);
    expect([advice('paper', 384, true), advice('small-data', 384), advice('paper', 10_016)]).toEqual([
      [],
      [],
      [],
    ]);
  });
});
