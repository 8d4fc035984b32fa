/** Measures the accuracy cost of a precision: the same images in float32 and in the other one. */
import type { Dataset } from '../../../data/dataset.ts';
import { ClassesError, matchClasses } from '../../../evaluate/match-classes.ts';
import type { Preprocessing } from '../../../images/preprocess.ts';
import { type Predictor, predictImages } from '../../../predict/predict-images.ts';
import { topClasses } from '../../../predict/top-classes.ts';
import { type OnnxPredictor, openOnnxPredictor, type PredictorOptions } from '../../run/onnx-predictor.ts';

/** What a precision costs in accuracy. */
export interface AccuracyReport {
  readonly data: string;
  readonly images: number;
  /** Fraction of images with the same most probable class, 0–1. */
  readonly sameTop1: number;
  /** Top-1 errors, 0–1; undefined if the images have no labels of the model. */
  readonly float32Error: number | undefined;
  readonly error: number | undefined;
}

/** The labels by which `matchClasses` matches a model's outputs. */
interface Labels {
  readonly classes: readonly string[];
  readonly classIds?: readonly string[];
}

/** Predicts a data set with both files. */
export async function compareAccuracy(
  dataset: Dataset,
  {
    float32,
    other,
    preprocessing,
    description,
    onBroken,
    ...options
  }: {
    float32: Uint8Array;
    other: OnnxPredictor;
    description: Labels;
    onBroken?: ((index: number, error: Error) => void) | undefined;
  } & PredictorOptions,
): Promise<AccuracyReport> {
  const reference = await openOnnxPredictor(float32, { ...options, preprocessing });
  try {
    const { path, onNotice } = options;
    const common = { description, preprocessing: reference.preprocessing, path, onBroken, onNotice };
    return await compareClasses(dataset, { ...common, expected: reference, received: other });
  } finally {
    await reference.release();
  }
}

interface Comparing {
  readonly expected: Predictor;
  readonly received: Predictor;
  readonly preprocessing: Preprocessing;
  readonly description: Labels;
  /** The model, for errors. */
  readonly path: string;
  readonly onBroken?: ((index: number, error: Error) => void) | undefined;
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** Predicts a data set by float32 (`expected`) and by the other precision, on any runtime. */
export async function compareClasses(
  dataset: Dataset,
  { expected: float32, received: other, preprocessing, description, path, onBroken, onNotice }: Comparing,
): Promise<AccuracyReport> {
  const input = { dataset, preprocessing };
  // The second time the same images cannot be used.
  const expected = await bestClasses(float32, { ...input, onBroken });
  const received = await bestClasses(other, input);
  const outputs = outputsFor(dataset, { description, path, onNotice });
  const errorOf = (predictions: BestClasses): number | undefined =>
    outputs && fraction(predictions, (best, index) => best !== outputs[dataset.label(index)]);
  return {
    data: dataset.name,
    images: received.size,
    sameTop1: fraction(received, (best, index) => best === expected.get(index)),
    float32Error: errorOf(expected),
    error: errorOf(received),
  };
}

/** The model's output for each class; undefined if the images have no labels, or labels of other classes. */
function outputsFor(
  { classes, name }: Dataset,
  {
    description,
    path,
    onNotice,
  }: { description: Labels; path: string; onNotice?: ((line: string) => void) | undefined },
): readonly number[] | undefined {
  if (classes.length === 0) return undefined;
  try {
    const { outputs, notice } = matchClasses({ classes }, description, { data: name, model: path });
    if (notice !== undefined) onNotice?.(notice);
    return outputs;
  } catch (error) {
    // Calibration and agreement do not need labels.
    if (error instanceof ClassesError) return undefined;
    throw error;
  }
}

/** The most probable class of each image by its index; images that cannot be used are left out. */
type BestClasses = ReadonlyMap<number, number>;

const fraction = (values: BestClasses, counts: (value: number, index: number) => boolean): number =>
  [...values].filter(([index, value]) => counts(value, index)).length / values.size;

async function bestClasses(
  predictor: Predictor,
  {
    dataset,
    preprocessing,
    onBroken = () => {},
  }: {
    dataset: Dataset;
    preprocessing: Preprocessing;
    onBroken?: ((index: number, error: Error) => void) | undefined;
  },
): Promise<BestClasses> {
  const classes = new Map<number, number>();
  const members = [{ predictor, preprocessing }];
  const options = { members, views: { crops: 1 as const }, onBroken };
  for await (const { index, probabilities } of predictImages(dataset, options))
    classes.set(index, topClasses(probabilities, { classes: probabilities.length, k: 1 })[0]?.label ?? -1);
  return classes;
}
