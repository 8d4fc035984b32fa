/** What a precision costs in accuracy: the same images through the float32 file and through the other. */
import type { Dataset } from '../../data/dataset.ts';
import { ClassesError, matchClasses } from '../../evaluate/match-classes.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { predictImages } from '../../predict/predict-images.ts';
import { topClasses } from '../../predict/top-classes.ts';
import { type OnnxPredictor, openOnnxPredictor, type PredictorOptions } from '../run/onnx-predictor.ts';

/** What a precision costs in accuracy. */
export interface AccuracyReport {
  readonly data: string;
  readonly images: number;
  /** Share of images with the same most probable class, 0–1. */
  readonly sameTop1: number;
  /** Top-1 errors, 0–1; undefined where the images have no labels of the model's. */
  readonly float32Error: number | undefined;
  readonly error: number | undefined;
}

/** What `matchClasses` knows a model's outputs by. */
interface Labels {
  readonly classes: readonly string[];
  readonly classIds?: readonly string[];
}

/** Predicts a dataset by both. */
export async function compareAccuracy(
  dataset: Dataset,
  {
    float32,
    other,
    preprocessing,
    description,
    ...options
  }: {
    float32: Uint8Array;
    other: OnnxPredictor;
    description: Labels;
  } & PredictorOptions,
): Promise<AccuracyReport> {
  const reference = await openOnnxPredictor(float32, { ...options, preprocessing });
  try {
    const how = { dataset, preprocessing: reference.preprocessing };
    const [expected, own] = [await bestClasses(reference, how), await bestClasses(other, how)];
    const outputs = outputsFor(dataset, { description, path: options.path });
    const errorOf = (found: readonly number[]): number | undefined =>
      outputs && share(found, (best, index) => best !== outputs[dataset.label(index)]);
    return {
      data: dataset.name,
      images: dataset.length,
      sameTop1: share(own, (best, index) => best === expected[index]),
      float32Error: errorOf(expected),
      error: errorOf(own),
    };
  } finally {
    await reference.release();
  }
}

/** The model's output of each class; undefined where images have no labels, or labels that are not the model's. */
function outputsFor(
  { classes, name }: Dataset,
  { description, path }: { description: Labels; path: string },
): readonly number[] | undefined {
  if (classes.length === 0) return undefined;
  try {
    return matchClasses(classes, description, { data: name, model: path });
  } catch (error) {
    // Scales can be chosen, and agreement counted, on images of anything.
    if (error instanceof ClassesError) return undefined;
    throw error;
  }
}

const share = (values: readonly number[], counts: (value: number, index: number) => boolean): number =>
  values.filter(counts).length / values.length;

async function bestClasses(
  predictor: OnnxPredictor,
  { dataset, preprocessing }: { dataset: Dataset; preprocessing: Preprocessing },
): Promise<number[]> {
  const found: number[] = [];
  const members = [{ predictor, preprocessing }];
  for await (const { probabilities } of predictImages(dataset, { members, views: { crops: 1 } }))
    found.push(topClasses(probabilities, { classes: probabilities.length, k: 1 })[0]?.label ?? -1);
  return found;
}
