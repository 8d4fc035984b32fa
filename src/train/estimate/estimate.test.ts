/** Estimates of whole trainings from three timed steps, on graphs alone. */
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { costsOf, summariseParts } from '../../graph/costs.ts';
import { configure, findNetwork, type NetworkOptions } from '../../networks/networks.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { type RecipeOverrides, resolveRecipe } from '../recipe/recipe.ts';
import { estimator } from './estimate.ts';

const images = (length: number) => ({ length }) as Dataset;
const weights = {} as NonNullable<Configuration['weights']>;

interface Case {
  readonly recipe?: string;
  readonly overrides?: RecipeOverrides;
  readonly options?: NetworkOptions;
  readonly fromWeights?: boolean;
  readonly imagesPerSecond: number;
  readonly step?: number;
  readonly test?: Dataset;
  readonly fitted?: Configuration['fitted'];
}

/** The estimate of a training of 320 images, evaluated on 80, after four steps of which the first is slow. */
function estimated({ recipe = 'fine-tune', fromWeights = recipe === 'fine-tune', ...rest }: Case) {
  const { overrides, options = {}, imagesPerSecond, step = 0, test, fitted } = rest;
  const graph = buildGraph(configure(findNetwork('inception-v3'), options));
  const configuration = {
    network: 'inception-v3',
    options,
    recipe: resolveRecipe(recipe, { batch: 32, ...overrides }),
    ...(fromWeights && { weights }),
    ...(fitted && { fitted }),
  } as Configuration;
  const position = { step, epoch: 0, position: 0, elapsedSeconds: 0 };
  const totalSteps = configuration.recipe.epochs * 10;
  const splits = { train: images(325), validation: images(80), test };
  const add = estimator(configuration, { graph, ...splits, position, totalSteps });
  const results = [1, 2, 3, 4, 5].map((count) =>
    add({ step: step + count, imagesPerSecond: count === 1 ? 1e-3 : imagesPerSecond }),
  );
  expect(results.filter((result) => result !== undefined)).toHaveLength(1);
  return results[3];
}

describe('the estimate of a training', () => {
  it('is that of the remaining steps and evaluations, a third of a step’s work for each image', () =>
    // 96 steps of 2 s, 10 evaluations of 80 images, 2.5 batches of a third of 2 s, and one test of half a batch.
    expect(estimated({ imagesPerSecond: 16, test: images(16) })).toEqual({
      seconds: expect.closeTo(96 * 2 + 10.2 * 2.5 * (2 / 3), 6),
      stepSeconds: 2,
      steps: 96,
      evaluations: 10,
      shorter: [],
    }));

  it('is not given where nothing remains', () => {
    const overrides = { epochs: 0.4 };
    expect(() => estimated({ overrides, imagesPerSecond: 16 })).toThrow('length');
  });

  it('beyond an hour says what would make a training from weights shorter, by the graph’s costs', () => {
    const { shorter = [], seconds = 0 } = estimated({ imagesPerSecond: 0.5 }) ?? {};
    expect(seconds).toBeGreaterThan(3600);
    const graph = buildGraph(configure(findNetwork('inception-v3')));
    const { macs } = costsOf(graph);
    const frozen = summariseParts(graph)
      .filter(({ name }) => /^(stem|inceptionA|reductionA|inceptionB\/[0-3])/.test(name))
      .reduce((sum, part) => sum + part.macs, 0);
    // Ten epochs of 320 images in three passes, ten evaluations of 80 in one.
    const whole = 3200 * 3 * macs + 800 * macs;
    const small = costsOf(buildGraph(configure(findNetwork('inception-v3'), { inputSize: 224 }))).macs;
    expect(shorter.map(({ option }) => option)).toEqual([
      '--freeze inceptionB/3',
      '--input-size 224',
      '--epochs 5',
    ]);
    const [freeze, size, epochs] = shorter;
    expect(freeze?.factor).toBeCloseTo((3200 * (3 * macs - 2 * frozen) + 800 * macs) / whole, 6);
    expect(size?.factor).toBeCloseTo(small / macs, 6);
    expect(epochs?.factor).toBeCloseTo(0.5, 6);
    for (const { factor, seconds: shortened } of shorter)
      expect(shortened / factor).toBeCloseTo(6400 + 1600 / 3, 0);
  });

  it('of random weights names trained ones and the width instead of frozen parts', () =>
    expect(estimated({ recipe: 'paper', imagesPerSecond: 1 })?.shorter.map(({ option }) => option)).toEqual([
      '--weights MODEL (10 epochs)',
      '--input-size 224',
      '--width 0.5',
      '--epochs 10',
    ]));

  it('of a resumed run gives no advice, since nothing of it may change', () =>
    expect(estimated({ recipe: 'paper', imagesPerSecond: 1, step: 20 })).toMatchObject({ shorter: [] }));

  it('of a training with a time gives none either, and names no part whose freezing would be refused', () => {
    const fitted = { time: { seconds: 7200, steps: 100, stepSeconds: 64, evaluationSeconds: 50 } };
    expect(estimated({ imagesPerSecond: 0.5, fitted })).toMatchObject({ shorter: [] });
    const { shorter = [] } = estimated({ imagesPerSecond: 0.5, options: { auxiliary: true } }) ?? {};
    // The auxiliary head of Inception-v3 reads inceptionB.
    expect(shorter[0]?.option).toBe('--freeze inceptionB/2');
  });
});
