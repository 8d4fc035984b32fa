/** What a classifier on features says of each image, where it has not learnt from that image. Pure; also for browsers. */
import { UsageError } from '../errors.ts';
import { probabilitiesOf } from './apply-probe.ts';
import { chooseStrength, foldsOf, type StrengthResult } from './choose-strength.ts';
import type { Regression, RegressionData } from './softmax-regression.ts';
import { scalingOf, standardise } from './standardise.ts';

export interface CrossValidationOptions {
  /** [images, length] */
  readonly values: Float32Array;
  readonly length: number;
  /** From 0, one for each image. */
  readonly labels: readonly number[];
  readonly classes: number;
  /** Images that are held out together, as copies of one; the smallest index first. */
  readonly groups?: readonly (readonly number[])[];
  readonly folds?: number;
  /** Called after each strength that was tried. */
  readonly onTried?: ((result: StrengthResult) => void) | undefined;
}

export interface CrossValidation {
  readonly folds: number;
  /** Fraction of the images whose label is not the most probable one, 0–1. */
  readonly error: number;
  readonly strength: number;
  /** Probabilities of the classes for each image; undefined for one whose class nothing else shows, which cannot be judged. */
  readonly probabilities: readonly (Float64Array | undefined)[];
}

/**
 * Parts the images into folds, and has those of each fold judged by a softmax regression on the features of the others. The
 * strength of its regularisation is the one with the smallest cross-entropy over all images, each held out.
 * @param open what solves the regressions: an engine's or the plain one.
 * @throws UsageError for images of which nothing can be held out.
 */
export async function crossValidate(
  open: (data: RegressionData) => Promise<Regression> | Regression,
  { values, length, labels, classes, groups = [], folds: count = 5, onTried }: CrossValidationOptions,
): Promise<CrossValidation> {
  const rowWeights = labels.map(() => 1);
  const folds = foldsOf(labels, { count, rowWeights, groups });
  if (folds.length < 2)
    throw new UsageError('a cross-validation needs at least two different images of some class');
  const scaled = standardise(values, scalingOf(values, { features: length }));
  const regression = await open({ values: scaled, labels, classes });
  try {
    const { best, fits } = await chooseStrength(regression, { folds, rowWeights, onTried });
    const probabilities: (Float64Array | undefined)[] = labels.map(() => undefined);
    for (const [fold, { heldOut, weights }] of folds.entries()) {
      const shown = new Set(labels.filter((_, row) => weights[row] !== 0));
      const { weight, bias } = fits[fold] as (typeof fits)[number];
      for (const row of heldOut)
        if (shown.has(labels[row] as number))
          probabilities[row] = probabilitiesOf(
            { weight, bias, part: { length } },
            scaled.subarray(row * length, (row + 1) * length),
          ).next().value as Float64Array;
    }
    return { folds: folds.length, error: best.error, strength: best.strength, probabilities };
  } finally {
    regression.release();
  }
}
