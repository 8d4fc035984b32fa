/** The probe of one part's features: nearest neighbours, and a softmax regression whose strength is chosen on held-out images. */
import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { Part } from '../features/parts.ts';
import { type ChosenStrength, chooseStrength, foldsOf, heldOutFigures } from './choose-strength.ts';
import { openRegression } from './engine-regression.ts';
import { nearestNeighbours, vote } from './nearest-neighbours.ts';
import { scalingOf, standardise, unscaled } from './standardise.ts';

/** Features with their labels. */
export interface LabelledFeatures {
  /** [images, features] */
  readonly values: Float32Array;
  readonly labels: readonly number[];
}

export interface ProbeData {
  readonly part: Part;
  readonly train: LabelledFeatures;
  /** Without it, strength and figures come from a cross-validation over the training images. */
  readonly validation?: LabelledFeatures | undefined;
  readonly classes: number;
  /** Weight of each class in the loss. Default: all 1. */
  readonly classWeights?: readonly number[] | undefined;
}

/** Error of the nearest neighbours' vote, 0–1. */
export interface NeighbourError {
  readonly k: number;
  readonly error: number;
}

export interface Probe {
  readonly part: Part;
  /** [classes, features], for the features as they are. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly strength: number;
  /** On the validation's images, or cross-validated. */
  readonly error: number;
  readonly loss: number;
  readonly tried: ChosenStrength['tried'];
  readonly neighbours: readonly NeighbourError[];
  /** Number of folds where there is no validation. */
  readonly folds: number | undefined;
  readonly converged: boolean;
}

/** Neighbours that vote. */
const neighbourCounts: readonly number[] = [1, 5, 20];

/** Folds without a validation split. */
const foldCount = 5;

/** Largest component of the gradient of the classifier that is kept; strengths are compared by rougher fits. */
const finalTolerance = 1e-5;

/** @throws UsageError for training images that nothing can be held out from, where there is no validation. */
export async function fitProbe(engine: Engine, data: ProbeData): Promise<Probe> {
  const { part, train, validation, classes, classWeights } = data;
  const neighbours = await neighbourErrors(engine, data);
  const labels = [...train.labels, ...(validation?.labels ?? [])];
  const learnt = train.labels.length;
  const scaling = scalingOf(train.values, { features: part.length });
  const values = standardise(joined(train.values, validation?.values), scaling);
  const rowWeights = labels.map((label) => classWeights?.[label] ?? 1);
  const trainWeights = rowWeights.map((weight, row) => (row < learnt ? weight : 0));
  const folds = validation
    ? [{ weights: trainWeights, heldOut: validation.labels.map((_, row) => learnt + row) }]
    : foldsOf(labels, { count: foldCount, rowWeights });
  if (!validation && folds.length < 2)
    throw new UsageError(
      'expected validation images, or at least two training images of some class for a cross-validation',
    );
  const regression = await openRegression(engine, { values, labels, classes });
  try {
    const { best, tried, fits } = await chooseStrength(regression, { folds, rowWeights });
    const { strength } = best;
    const fit = await regression.fit({
      weights: trainWeights,
      strength,
      start: fits[0],
      tolerance: finalTolerance,
    });
    // Of the classifier that is kept, where it did not learn from the images; a cross-validation has no such classifier.
    const { error, loss } = validation ? heldOutFigures([fit], { regression, folds, rowWeights }) : best;
    return {
      part,
      ...unscaled(fit, scaling),
      strength,
      error,
      loss,
      tried,
      neighbours,
      folds: validation ? undefined : folds.length,
      converged: fit.converged,
    };
  } finally {
    regression.release();
  }
}

async function neighbourErrors(
  engine: Engine,
  { part, train, validation }: ProbeData,
): Promise<readonly NeighbourError[]> {
  const found = await nearestNeighbours(engine, {
    reference: train.values,
    queries: validation?.values,
    features: part.length,
    count: Math.max(...neighbourCounts),
  });
  const { labels } = validation ?? train;
  return neighbourCounts
    .filter((k) => k <= found.count)
    .map((k) => {
      const wrong = labels.filter(
        (label, query) => vote(found, { query, k, labels: train.labels }) !== label,
      );
      return { k, error: wrong.length / labels.length };
    });
}

function joined(first: Float32Array, second: Float32Array = new Float32Array()): Float32Array {
  const values = new Float32Array(first.length + second.length);
  values.set(first, 0);
  values.set(second, first.length);
  return values;
}
