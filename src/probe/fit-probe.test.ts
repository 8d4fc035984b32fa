import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { randomFor } from '../random.ts';
import { probabilitiesOf } from './apply-probe.ts';
import { chooseStrength, foldsOf, strengths } from './choose-strength.ts';
import { crossValidate } from './cross-validate.ts';
import { openRegression } from './engine-regression.ts';
import { fitProbe } from './fit-probe.ts';
import { learnClasses } from './learn-classes.ts';
import { nearestNeighbours, vote } from './nearest-neighbours.ts';
import { plainRegression } from './plain-regression.ts';
import type { RegressionData } from './softmax-regression.ts';
import { scalingOf, standardise, unscaled } from './standardise.ts';

/** By scikit-learn 1.9.1: `python test/fixtures/probe/make.py`. */
const expected = JSON.parse(
  readFileSync(new URL('../../test/fixtures/probe/expected.json', import.meta.url), 'utf8'),
);

const features = 4;
const rows = 36;
const learnt = 24;
const labels = Array.from({ length: rows }, (_, row) => row % 3);
/** The formula of the script. */
const values = Float32Array.from({ length: rows * features }, (_, at) => {
  const [i, j] = [Math.floor(at / features), at % features];
  return 3 * Math.sin(1.7 * i + 0.9 * i * j + j) + (j === i % 3 ? 2 : 0) + (j === 3 ? 5 : 0);
});
const train = { values: values.subarray(0, learnt * features), labels: labels.slice(0, learnt) };
const validation = { values: values.subarray(learnt * features), labels: labels.slice(learnt) };
const part = { name: 'classifier', endpoint: 'dropout', length: features };

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu', threads: 1 });
});
afterAll(() => engine.close());

const maxDifference = (a: ArrayLike<number>, b: readonly number[]): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...b.map((each, at) => Math.abs(each - (a[at] as number))));
};

describe('softmax regression', () => {
  it('is solved for a thousand classes, whose gradients begin below what is a rough solution for three', async () => {
    const [classes, width] = [1000, 24];
    const random = randomFor(1);
    const many = Float32Array.from({ length: classes * width }, () => random() - 0.5);
    const each = Array.from({ length: classes }, (_, label) => label);
    const regression = await openRegression(engine, {
      values: standardise(many, scalingOf(many, { features: width })),
      labels: each,
      classes,
    });
    const fit = await regression.fit({ weights: each.map(() => 1), strength: 1e-5, tolerance: 1e-3 });
    regression.release();
    expect(fit.iterations).toBeGreaterThan(3);
    expect(fit.predicted.filter((label, row) => label !== row).length).toBeLessThan(classes / 20);
  });

  describe.each([
    { by: 'libtorch', open: (data: RegressionData) => openRegression(engine, data) },
    { by: 'plain code', open: plainRegression },
  ])('by $by', ({ open }) => {
    it.each([
      { name: 'plain', strength: 0.1, classWeights: [1, 1, 1] },
      { name: 'weighted', strength: 0.01, classWeights: [1, 3, 0.5] },
    ])("has scikit-learn's solution: $name", async ({ name, strength, classWeights }) => {
      const scaling = scalingOf(train.values, { features });
      const regression = await open({
        values: standardise(values, scaling),
        labels,
        classes: 3,
      });
      const weights = labels.map((label, row) => (row < learnt ? (classWeights[label] as number) : 0));
      const fit = await regression.fit({ weights, strength, tolerance: 1e-6 });
      regression.release();
      const solution = expected[name];
      const { weight, bias } = unscaled(fit, scaling);
      expect(fit.converged).toBe(true);
      expect(maxDifference(weight, solution.weight.flat())).toBeLessThan(2e-4);
      expect(maxDifference(bias, solution.bias)).toBeLessThan(2e-3);
      const held = [...fit.losses].slice(learnt);
      expect(held.reduce((sum, each) => sum + each, 0) / held.length).toBeCloseTo(solution.loss, 3);
      const wrong = fit.predicted.slice(learnt).filter((each, row) => each !== validation.labels[row]);
      expect(wrong.length / held.length).toBeCloseTo(solution.error, 9);
    });
  });
});

describe('chooseStrength', () => {
  it("takes the strength with the smallest of scikit-learn's held-out losses and stops when they grow", async () => {
    const scaling = scalingOf(train.values, { features });
    const data = { values: standardise(values, scaling), labels, classes: 3 };
    const regression = await openRegression(engine, data);
    const rowWeights = labels.map(() => 1);
    const weights = labels.map((_, row) => (row < learnt ? 1 : 0));
    const heldOut = labels.flatMap((_, row) => (row < learnt ? [] : [row]));
    const { best, tried } = await chooseStrength(regression, { folds: [{ weights, heldOut }], rowWeights });
    regression.release();
    const smallest = Math.min(...expected.losses);
    const at = expected.losses.indexOf(smallest);
    expect(best.strength).toBe(strengths[at]);
    expect(best.loss).toBeCloseTo(smallest, 2);
    expect(tried.length).toBe(at + 4);
  });
});

describe('foldsOf', () => {
  it('gives every fold its share of every class, and every row to one fold', () => {
    const folds = foldsOf([0, 0, 0, 0, 1, 1], { count: 2, rowWeights: [1, 1, 1, 1, 2, 2] });
    expect(folds).toEqual([
      { weights: [0, 1, 0, 1, 0, 2], heldOut: [0, 2, 4] },
      { weights: [1, 0, 1, 0, 2, 0], heldOut: [1, 3, 5] },
    ]);
  });

  it('makes no empty fold of a class with fewer images', () => {
    expect(foldsOf([0, 0, 1], { count: 5, rowWeights: [1, 1, 1] }).map(({ heldOut }) => heldOut)).toEqual([
      [0, 2],
      [1],
    ]);
  });
});

describe('crossValidate', () => {
  it('says the same by plain code as by libtorch', async () => {
    const options = { values, length: features, labels, classes: 3, groups: [[0, 3]] };
    const torch = await crossValidate((data) => openRegression(engine, data), options);
    const plain = await crossValidate(plainRegression, options);
    expect({ ...plain, probabilities: [] }).toEqual({ ...torch, probabilities: [] });
    for (const [row, probabilities] of plain.probabilities.entries())
      expect(maxDifference(probabilities ?? [], [...(torch.probabilities[row] ?? [])])).toBeLessThan(0.01);
  });
});

describe('a regression of fewer rows than features', () => {
  /** 30 rows of 200 features, two of them copies and one blank. */
  const wide = () => {
    const random = randomFor(7);
    const [count, width] = [30, 200];
    const each = Array.from({ length: count }, (_, row) => row % 3);
    const drawn = Float32Array.from({ length: count * width }, (_, at) => {
      const [row, feature] = [Math.floor(at / width), at % width];
      return random() + (feature % 3 === (each[row] as number) ? 0.3 : 0);
    });
    drawn.copyWithin(width, 0, width);
    drawn.fill(0, 5 * width, 6 * width);
    return { values: drawn, length: width, labels: each, classes: 3 };
  };

  it("has libtorch's solution over all features", async () => {
    const { values: drawn, length, labels: each, classes } = wide();
    const data = {
      values: standardise(drawn, scalingOf(drawn, { features: length })),
      labels: each,
      classes,
    };
    const options = { weights: each.map((_, row) => (row < 20 ? 1 : 0)), strength: 0.1, tolerance: 1e-6 };
    const torch = await openRegression(engine, data);
    const plain = plainRegression(data);
    const [expectedFit, fit] = [await torch.fit(options), await plain.fit(options)];
    torch.release();
    expect(maxDifference(fit.weight, [...expectedFit.weight])).toBeLessThan(1e-4);
    expect(maxDifference(fit.losses, [...expectedFit.losses])).toBeLessThan(1e-3);
    expect(fit.predicted).toEqual(expectedFit.predicted);
    // Begun at its own solution, it ends there.
    const again = await plain.fit({ ...options, start: fit });
    expect(again.iterations).toBe(0);
  });

  it('learns classes from features, and judges each image by what others say', async () => {
    const images = { ...wide(), groups: [[0, 1]] };
    const { weight, bias, crossValidation } = await learnClasses(images);
    const torch = await crossValidate((data) => openRegression(engine, data), images);
    // Strengths are compared by rough fits, whose losses differ in the third digit.
    expect(Math.abs(crossValidation.error - torch.error)).toBeLessThan(1.5 / images.labels.length);
    const judged = [...probabilitiesOf({ weight, bias, part: { length: images.length } }, images.values)].map(
      (probabilities) => probabilities.indexOf(Math.max(...probabilities)),
    );
    // Row 1 is a copy of row 0 under another label, and row 5 is blank.
    const right = judged.filter((label, row) => label === images.labels[row]).length;
    expect(right).toBeGreaterThanOrEqual(28);
  });
});

describe('nearestNeighbours', () => {
  it("finds scikit-learn's, with their cosines", async () => {
    const { rows, similarities, count } = await nearestNeighbours(engine, {
      reference: train.values,
      queries: validation.values.subarray(0, 2 * features),
      features,
      count: 3,
    });
    expect(count).toBe(3);
    expect([...rows]).toEqual(expected.nearest[0].flat());
    expect(maxDifference(similarities, expected.nearest[1].flat())).toBeLessThan(1e-5);
  });

  it('finds those among each other without the image itself', async () => {
    const reference = Float32Array.of(1, 0, 1, 0.1, 0, 1);
    const { rows, count } = await nearestNeighbours(engine, { reference, features: 2, count: 5 });
    expect({ rows: [...rows], count }).toEqual({ rows: [1, 2, 0, 2, 1, 0], count: 2 });
  });
});

describe('vote', () => {
  const neighbours = {
    rows: Int32Array.of(0, 1, 2, 3),
    similarities: Float32Array.of(0.9, 0.8, 0.7, 0.1),
    count: 4,
  };

  it('goes with the majority, and of equal numbers with the nearer ones', () => {
    const labels = [0, 1, 1, 0];
    expect(vote(neighbours, { query: 0, k: 1, labels })).toBe(0);
    expect(vote(neighbours, { query: 0, k: 3, labels })).toBe(1);
    expect(vote(neighbours, { query: 0, k: 4, labels })).toBe(1);
  });
});

describe('fitProbe', () => {
  it("reports scikit-learn's errors on the validation", async () => {
    const probe = await fitProbe(engine, { part, train, validation, classes: 3 });
    expect(probe.neighbours.filter(({ k }) => k < 20)).toEqual([
      { k: 1, error: expected.kErrors[1] },
      { k: 5, error: expected.kErrors[5] },
    ]);
    expect(probe.loss).toBeCloseTo(Math.min(...expected.losses), 3);
    expect(probe.weight.length).toBe(3 * features);
    expect(probe.folds).toBeUndefined();
  });

  it('cross-validates where there is no validation', async () => {
    const probe = await fitProbe(engine, { part, train, classes: 3 });
    expect(probe.folds).toBe(5);
    expect(probe.error).toBeGreaterThan(0);
    expect(probe.error).toBeLessThan(1);
  });
});

describe('fitProbe of one image a class', () => {
  it('is refused without validation: there would be nothing to learn from', async () => {
    const few = { values: train.values.subarray(0, 2 * features), labels: [0, 1] };
    await expect(fitProbe(engine, { part, train: few, classes: 2 })).rejects.toThrow(
      'expected validation images, or at least two training images of some class for a cross-validation',
    );
  });
});

describe('standardise', () => {
  it('leaves a constant feature at 0', () => {
    const scaling = scalingOf(Float32Array.of(0.1, 1, 0.1, 3), { features: 2 });
    expect([...standardise(Float32Array.of(0.1, 1, 0.1, 3), scaling)]).toEqual([
      expect.closeTo(0, 6),
      -1,
      expect.closeTo(0, 6),
      1,
    ]);
  });
});
