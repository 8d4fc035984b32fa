import { describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { Checked } from './check-data.ts';
import { checkLabels, type JudgingModel } from './check-labels.ts';

const preprocessing = standardPreprocessing([4, 4], { crop: 1 });

/** Images of one level each, in the folder /photos; their labels are given. */
const dataset: Dataset = {
  name: '/photos/train',
  length: 4,
  classes: ['cat', 'dog'],
  label: (index) => [0, 1, 1, 0][index] as number,
  image: (index) => ({
    height: 4,
    width: 4,
    channels: 1,
    data: new Uint8Array(16).fill([10, 250, 20, 140][index] as number),
  }),
  nameOf: (index) => `/photos/train/${index}.png`,
};

/** The brighter, the more it is a dog. */
const predictor: Predictor = {
  batch: 2,
  classes: 2,
  predict: async (images) => {
    const each = images.length / 2;
    return Float32Array.from(
      [0, 1].flatMap((row) => {
        const dog = (images[row * each] as number) / 255;
        return [1 - dog, dog];
      }),
    );
  },
} as Predictor;

const checked = {
  check: { source: '/photos' },
  all: {
    splits: [
      { name: 'train', dataset },
      { name: 'validation', dataset },
    ],
    length: 8,
  },
} as unknown as Checked;

const model = (about: Partial<JudgingModel['description']>): JudgingModel => ({
  source: 'runs/a',
  predictor,
  description: { classes: ['cat', 'dog'], preprocessing, ...about },
});

describe('labels that are probably wrong', () => {
  it('are those that the network is sure of being another, marked where it was trained on them', async () => {
    const { images, trainedOn } = await checkLabels(
      checked,
      model({ data: '/photos', validation: 'folder' }),
    );
    // Image 3 is called a dog, but hardly.
    expect(images.map(({ file, split }) => [file, split])).toEqual([
      ['/photos/train/2.png', 'train'],
      ['/photos/train/2.png', 'validation'],
    ]);
    expect(images[0]).toMatchObject({ class: 'dog', predicted: 'cat', trainedOn: true });
    expect(images[0]?.probability).toBeCloseTo(1 - 20 / 255, 5);
    expect(images[0]?.labelProbability).toBeCloseTo(20 / 255, 5);
    expect(trainedOn).toBe(4);
  });

  it('are not said to be trained on by a model of other data', async () => {
    const { images, trainedOn } = await checkLabels(checked, model({ data: '/others' }));
    expect([images[0]?.trainedOn, trainedOn]).toEqual([null, null]);
  });

  it('are not judged by a model of other classes', async () => {
    await expect(checkLabels(checked, model({ classes: ['cat', 'owl'] }))).rejects.toThrow(
      '/photos/train: expected the classes of training (cat, owl), received others too: dog',
    );
  });
});
