import { describe, expect, it } from 'vitest';
import { describeBalance, weightsOf } from './class-weights.ts';
import { refuseIdleNumbers, resolveRecipe } from './recipe.ts';

const counts = (perClass: readonly (readonly [string, number])[]) => ({
  name: 'photos/train',
  images: perClass.reduce((sum, [, images]) => sum + images, 0),
  perClass,
});
const photos = counts([
  ['cat', 60],
  ['dog', 25],
  ['owl', 5],
]);
const plain = { classWeights: 'none', sampling: 'shuffle' } as const;

describe('weightsOf', () => {
  it('gives scikit-learn’s balanced weights', () => {
    // scikit-learn 1.9.1: compute_class_weight('balanced', classes=[0, 1, 2], y=[0] * 60 + [1] * 25 + [2] * 5)
    const expected = [0.5, 1.2, 6];
    expect([...(weightsOf('balanced', photos) ?? [])]).toEqual(
      expected.map((each) => expect.closeTo(each, 6)),
    );
    expect(weightsOf('none', photos)).toBeUndefined();
  });

  it('takes given weights by label, whatever their order', () => {
    expect(weightsOf({ owl: 3, cat: 1, dog: 2 }, photos)).toEqual(Float32Array.of(1, 2, 3));
  });

  it('refuses labels that are missing or unknown, and a balanced weight that would be infinite', () => {
    expect(() => weightsOf({ cat: 1 }, photos)).toThrow(
      "class weights: no weight for 'dog' and 1 more; expected one for each of the 3 classes of photos/train: cat, dog, owl",
    );
    expect(() => weightsOf({ cat: 1, dog: 1, owl: 1, fox: 1 }, photos)).toThrow(
      "a weight for 'fox'; expected",
    );
    expect(() =>
      weightsOf(
        'balanced',
        counts([
          ['cat', 1],
          ['dog', 0],
        ]),
      ),
    ).toThrow("photos/train has no images of 'dog', whose balanced weight would be infinite");
  });
});

describe('describeBalance', () => {
  it('says that classes are unequal and what can be done, or what is done', () => {
    expect(describeBalance(photos, plain)).toEqual([
      "classes are unequal, 12 to 1 ('cat' to 'owl'): --class-weights balanced or --sampling balanced lets each count alike; look at balanced accuracy beside the error",
    ]);
    expect(describeBalance(photos, { ...plain, classWeights: 'balanced' })).toEqual([
      'class weights: balanced, 0.5 (cat) to 6 (owl)',
    ]);
    expect(describeBalance(photos, { ...plain, sampling: 'balanced' })).toEqual([
      "sampling: balanced, each class about 30 times an epoch: an image of 'owl' 6.0 times, 50% of those of 'cat'",
    ]);
  });

  it('says where balancing changes nothing, and nothing where there is nothing to say', () => {
    const equal = counts([
      ['cat', 5],
      ['dog', 5],
    ]);
    expect(describeBalance(equal, plain)).toEqual([]);
    expect(describeBalance(equal, { ...plain, classWeights: 'balanced' }).at(-1)).toBe(
      'classes have equally many images: balancing them changes nothing',
    );
  });
});

describe('a recipe', () => {
  it('refuses weights that are none, and to balance twice', () => {
    for (const classWeights of [{}, { cat: 0 }, { cat: Number.NaN }, 'photos.csv'] as const)
      expect(() => resolveRecipe('paper', { classWeights: classWeights as 'none' })).toThrow(
        "recipe option 'classWeights': expected 'none', 'balanced', or an object from labels to weights",
      );
    const twice = resolveRecipe('paper', { classWeights: 'balanced', sampling: 'balanced' });
    expect(() => refuseIdleNumbers(twice, { auxiliary: false, fromWeights: true })).toThrow(
      'make up for unequal classes twice',
    );
  });
});
