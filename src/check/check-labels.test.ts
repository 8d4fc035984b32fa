import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { Checked } from './check-data.ts';
import { checkLabels, type JudgingFeatures, type JudgingModel } from './check-labels.ts';

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

describe('labels of images that the network was trained on', () => {
  let engine: Engine;
  beforeAll(() => {
    engine = openTorch({ device: 'cpu', threads: 1 });
  });
  afterAll(() => engine.close());

  /** Dark cats and bright dogs; image 6 is a dog that is called a cat, image 20 the only owl. */
  const isCat = (index: number) => index % 2 === 0;
  const levelOf = (index: number) => (index === 6 || !isCat(index) ? 200 : 20) + index;
  const photos: Dataset = {
    ...dataset,
    length: 21,
    classes: ['cat', 'dog', 'owl'],
    label: (index) => (index === 20 ? 2 : isCat(index) ? 0 : 1),
    image: (index) => ({
      height: 4,
      width: 4,
      channels: 1,
      data: new Uint8Array(16).fill(levelOf(index)),
    }),
  };
  const checkOf = (images: Dataset, identical: readonly (readonly number[])[] = []) => {
    const split = { name: 'images' as const, dataset: images };
    return {
      check: {
        source: '/photos',
        identical: identical.map((group) => ({ images: group.map((at) => ({ file: images.nameOf(at) })) })),
        near: [],
      },
      all: { splits: [split], length: images.length, at: (index: number) => ({ split, index }) },
      indexOf: (file: string) =>
        Array.from({ length: images.length }, (_, at) => images.nameOf(at)).indexOf(file),
    } as unknown as Checked;
  };
  const description = {
    classes: photos.classes,
    preprocessing,
    data: '/photos',
    validation: 'folder' as const,
  };

  /** Says of every image what its label is, the wrong one too. */
  const byHeart: JudgingModel = {
    source: 'runs/a',
    description,
    predictor: {
      batch: 1,
      classes: 3,
      predict: async (images: Uint8Array) => {
        const known = Array.from({ length: photos.length }, (_, at) => at).find(
          (index) => levelOf(index) === images[0],
        );
        return Float32Array.from([0, 1, 2], (label) => (label === photos.label(known ?? 0) ? 0.98 : 0.01));
      },
    },
  };

  /** One feature: the brightness. */
  const graph = buildGraph(configure(findNetwork('inception-v4'), { classes: 3, width: 0.125 }));
  const width = 192;
  const features = (): JudgingFeatures => ({
    source: 'runs/a',
    description,
    engine,
    features: {
      source: 'runs/a',
      graph,
      featuresSha256: 'a',
      precision: 'float32',
      description: { network: 'inception-v4', options: {}, ...description },
      features: async (images) => {
        const rows = images.length / 48;
        const data = Float32Array.from(
          { length: rows * width },
          (_, at) => (images[Math.floor(at / width) * 48] as number) / 255,
        );
        return { dropout: { dtype: 'float32', shape: [rows, width, 1, 1], data } };
      },
    },
  });

  it('are judged by classifiers that have not seen them, so that one known by heart is found', async () => {
    const files = async (model: JudgingModel | JudgingFeatures) =>
      (await checkLabels(checkOf(photos), model)).images.map(({ file }) => file);
    expect(await files(byHeart)).toEqual([]);
    expect(await files(features())).toEqual(['/photos/train/6.png']);
  });

  it('are not judged where nothing else shows their class', async () => {
    const { crossValidated, images } = await checkLabels(checkOf(photos), features());
    expect(crossValidated).toMatchObject({ features: 'runs/a', folds: 5, notJudged: 1 });
    expect(images[0]).toMatchObject({ class: 'cat', predicted: 'dog', trainedOn: true });
  });

  it('are not confirmed by copies of the image, which are held out with it', async () => {
    // Image 16 is a copy of 6, with the same wrong label.
    const copied: Dataset = { ...photos, image: (index) => photos.image(index === 16 ? 6 : index) };
    const { images } = await checkLabels(checkOf(copied, [[6, 16]]), features());
    expect(images.map(({ file }) => file).sort()).toEqual(['/photos/train/16.png', '/photos/train/6.png']);
  });
});
