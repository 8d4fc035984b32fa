/**
 * A classifier of images from the features of a trained network, and what it says of each of them while it has not seen it: a probe
 * in plain code, for a page. Pure; also for browsers.
 */
import { type CrossValidation, type CrossValidationOptions, crossValidate } from './cross-validate.ts';
import { plainRegression } from './plain-regression.ts';
import { scalingOf, standardise, unscaled } from './standardise.ts';

export interface LearntClasses {
  /** [classes, length], for the features as they are. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  /** Of classifiers that had not seen the image. */
  readonly crossValidation: CrossValidation;
}

/** Largest component of the gradient of the classifier that is kept, as `fitProbe`'s. */
const tolerance = 1e-5;

/** @throws UsageError for images of which nothing can be held out. */
export async function learnClasses(images: Omit<CrossValidationOptions, 'folds'>): Promise<LearntClasses> {
  const { values, length, labels, classes } = images;
  const crossValidation = await crossValidate(plainRegression, images);
  const scaling = scalingOf(values, { features: length });
  const regression = plainRegression({ values: standardise(values, scaling), labels, classes });
  const fit = await regression.fit({
    weights: labels.map(() => 1),
    strength: crossValidation.strength,
    tolerance,
  });
  return { ...unscaled(fit, scaling), crossValidation };
}
