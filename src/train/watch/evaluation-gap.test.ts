import { describe, expect, it } from 'vitest';
import { explainGap, isWorseThanGuessing } from './evaluation-gap.ts';

describe('an evaluation that is worse than guessing', () => {
  it.each([
    [{ validationLoss: 63.5, trainLoss: 0.6, classes: 6 }, true],
    [{ validationLoss: 1.7, trainLoss: 0.6, classes: 6 }, false],
    [{ validationLoss: 2.4, trainLoss: 1.5, classes: 6 }, false],
    [{ validationLoss: 63.5, trainLoss: undefined, classes: 6 }, false],
  ])('is found by the losses: %o', (losses, found) => {
    expect(isWorseThanGuessing(losses)).toBe(found);
  });

  it('is explained by what the evaluated network does with training images', () => {
    const losses = { validationLoss: 63.5, trainLoss: 0.6, classes: 6 };
    const found =
      'the validation loss 63.50 is above that of guessing (ln 6 = 1.79), and the training loss is 0.60. On 256 training images the evaluated network has a loss of';
    expect(explainGap(losses, { loss: 58.2, images: 256 })).toContain(
      `${found} 58.20: its averaged weights and statistics lag behind the trained ones. A lower --average-decay`,
    );
    expect(explainGap(losses, { loss: 0.3, images: 256 })).toContain(
      `${found} 0.30: the validation images differ from the training images`,
    );
  });
});
