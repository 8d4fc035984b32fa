import { describe, expect, it } from 'vitest';
import { relabelled } from '../data/align-classes.ts';
import { DataError } from '../data/data-error.ts';
import type { Dataset } from '../data/dataset.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import type { Member } from '../predict/predict-images.ts';
import { matchClasses } from './match-classes.ts';
import { type Prediction, predictions, score, scoreOf } from './score.ts';

const preprocessing = standardPreprocessing([1, 1], { crop: 1 });
const views = { crops: 1 } as const;

/** One grey pixel for each image; the pixel is the image's best output. */
const pixels = (
  values: readonly number[],
  { classes, labels }: { classes: string[]; labels: readonly number[] },
): Dataset => ({
  name: 'pixels',
  length: values.length,
  classes,
  label: (index) => labels[index] as number,
  nameOf: (index) => `${index}.png`,
  image: (index) => ({ height: 1, width: 1, channels: 1, data: Uint8Array.of(values[index] as number) }),
});

/** Gives the output that the pixel names 0.6, and the others equal parts of the rest. */
const reader = (classes: number): Member => ({
  preprocessing,
  predictor: {
    batch: 1,
    classes,
    predict: async (images) =>
      Float32Array.from({ length: classes }, (_, output) =>
        output === images[0] ? 0.6 : 0.4 / (classes - 1),
      ),
  },
});

describe('score', () => {
  it('counts errors, the cross-entropy and the pairs of label and prediction that occur', async () => {
    const data = pixels([0, 0, 1, 2, 0], { classes: ['a', 'b', 'c'], labels: [0, 1, 1, 2, 1] });
    const { loss, perClass, ...rest } = await score(data, { members: [reader(3)], views });
    expect(perClass.map(({ images }) => images)).toEqual([1, 3, 1]);
    expect(rest).toEqual({
      count: 5,
      top1Error: 0.4,
      top5Error: 0,
      balancedAccuracy: expect.closeTo((1 + 1 / 3 + 1) / 3, 12),
      macroF1: expect.closeTo((0.5 + 0.5 + 1) / 3, 12),
      confusion: [
        [0, 0, 1],
        [1, 0, 2],
        [1, 1, 1],
        [2, 2, 1],
      ],
    });
    expect(loss).toBeCloseTo((3 * -Math.log(0.6) + 2 * -Math.log(0.2)) / 5, 6);
  });

  it('lets all outputs of the model compete, and not only the classes of the data', async () => {
    // Images of classes a and c that the model takes for b, which the data do not have.
    const data = pixels([1, 2], { classes: ['a', 'c'], labels: [0, 1] });
    const model = { classes: ['a', 'b', 'c'] };
    const { outputs } = matchClasses(data, model, { data: 'data', model: 'model' });
    const all = await score(relabelled(data, { ...model, outputs }), { members: [reader(3)], views });
    expect([all.top1Error, all.confusion]).toEqual([
      0.5,
      [
        [0, 1, 1],
        [2, 2, 1],
      ],
    ]);
    expect(all.loss).toBeCloseTo((-Math.log(0.2) - Math.log(0.6)) / 2, 6);
    // Restricted to the data's classes, error and loss are restricted alike.
    const some = await score(data, { members: [{ ...reader(3), outputs }], views });
    expect(some.top1Error).toBe(0);
    expect(some.loss).toBeCloseTo((-Math.log(0.5) - Math.log(0.75)) / 2, 6);
  });

  it('keeps as many pairs as there are images, whatever the number of classes', () => {
    const predicted = Array.from({ length: 1000 }, (_, index): Prediction => {
      const label = index * 21;
      return { index, label, top: [label + (index % 2)], probability: 1, loss: 0 };
    });
    expect(scoreOf(predicted).confusion).toHaveLength(1000);
    expect(scoreOf(predicted).top1Error).toBe(0.5);
  });

  it('refuses to score nothing', async () => {
    expect(() => scoreOf([])).toThrow('nothing to score: expected images with labels, received none');
    const broken: Dataset = {
      ...pixels([0], { classes: ['a'], labels: [0] }),
      image: () => Promise.reject(new DataError('a.jpg: broken')),
    };
    const onBroken = () => undefined;
    await expect(score(broken, { members: [reader(3)], views, onBroken })).rejects.toThrow(
      'none of the images can be used (a.jpg: broken)',
    );
    const unlabelled = await predictions(pixels([1], { classes: [], labels: [-1] }), {
      members: [reader(3)],
      views,
    });
    expect(unlabelled).toEqual([
      { index: 0, label: -1, top: [1, 0, 2], probability: expect.closeTo(0.6, 6), loss: Number.NaN },
    ]);
    expect(() => scoreOf(unlabelled)).toThrow('received 1 without');
  });

  it('replaces labels by accepted ones; an image without any does not count', () => {
    const predicted = [0, 1, 2].map(
      (index): Prediction => ({ index, label: 0, top: [1, 0], probability: 1, loss: 1 }),
    );
    const accepted = ({ index }: { index: number }) => [[1], [0, 2], []][index] as number[];
    const { count, top1Error, top5Error } = scoreOf(predicted, { accepted });
    expect([count, top1Error, top5Error]).toEqual([2, 0.5, 0]);
  });
});
