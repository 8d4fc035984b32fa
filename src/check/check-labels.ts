/** Which labels are probably wrong: images of which a trained network, or a classifier that has not seen them, is sure that they are something else. */
import { alignClasses } from '../data/align-classes.ts';
import type { Dataset, EncodedImage } from '../data/dataset.ts';
import { absoluteSource } from '../data/sources/absolute-source.ts';
import { openSplits, type ValidationSource } from '../data/splits/open-splits.ts';
import type { Engine } from '../engine/engine.ts';
import { type Prediction, predictionOf, predictions } from '../evaluate/score.ts';
import { featuresOf } from '../features/compute-features.ts';
import type { FeatureModel } from '../features/feature-model.ts';
import { findPart } from '../features/parts.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Predictor } from '../predict/predict-images.ts';
import { crossValidate } from '../probe/cross-validate.ts';
import { openRegression } from '../probe/engine-regression.ts';
import type { Checked } from './check-data.ts';
import type { CrossValidated, LabelCheck, SuspectLabel } from './data-check.ts';
import type { AllImages } from './open-all.ts';

/** What a model says of itself, as this check needs it. */
export interface JudgeDescription {
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly data?: string;
  readonly validation?: ValidationSource;
}

/** A network that judges by its own probabilities. */
export interface JudgingModel {
  readonly source: string;
  readonly predictor: Predictor;
  readonly description: JudgeDescription;
}

/** A network whose features a classifier judges by, which is solved anew for each fold of the images. */
export interface JudgingFeatures {
  readonly source: string;
  readonly description: JudgeDescription;
  readonly engine: Engine;
  readonly features: Pick<
    FeatureModel,
    'source' | 'description' | 'features' | 'featuresSha256' | 'precision' | 'graph'
  >;
  /** Where features are kept; undefined to compute all of them. */
  readonly cache?: string | undefined;
}

export interface CheckLabelsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onImage?: () => void;
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** What is said of one image. */
interface Verdict {
  readonly split: string;
  readonly file: string;
  readonly prediction: Prediction;
}

/** By how much the judge's label is more probable than the given one. */
const margin = ({ probability, loss }: Prediction): number => probability - Math.exp(-loss);

/** Smaller differences are doubts, not findings. */
const leastMargin = 0.5;

/** Images per batch. */
const batch = 16;

/**
 * Whether a model was trained on images of this data set: what it says of them is then partly known by heart, and a cross-validation
 * has to judge. Models of other data, and those that do not say, are taken for networks that have not seen the images.
 */
export const isTrainedOn = (source: string, { data }: Pick<JudgeDescription, 'data'>): boolean =>
  data !== undefined && absoluteSource(data) === absoluteSource(source);

/**
 * Ranks the images whose label the judge disagrees with, the surest first.
 * @throws DataError if the data have classes that the model has not
 */
export async function checkLabels(
  checked: Checked,
  model: JudgingModel | JudgingFeatures,
  options: CheckLabelsOptions = {},
): Promise<LabelCheck> {
  const { all, check } = checked;
  const { classes } = model.description;
  const trained = await trainedFiles(check.source, { all, ...model.description });
  const { verdicts, crossValidated } =
    'predictor' in model
      ? { verdicts: await byNetwork(all, model, options), crossValidated: null }
      : await byFolds(checked, model, options);
  const found: (SuspectLabel & { readonly margin: number })[] = [];
  for (const { split, file, prediction } of verdicts) {
    const { label, top, probability, loss } = prediction;
    if (top[0] === label || margin(prediction) < leastMargin) continue;
    found.push({
      file,
      split,
      class: classes[label] as string,
      predicted: classes[top[0] as number] as string,
      probability,
      labelProbability: Math.exp(-loss),
      trainedOn: trained === undefined ? null : trained.has(file),
      margin: margin(prediction),
    });
  }
  found.sort((a, b) => b.margin - a.margin || (a.file < b.file ? -1 : 1));
  return {
    model: model.source,
    crossValidated,
    trainedOn: trained?.size ?? null,
    images: found.map(({ margin: _, ...suspect }) => suspect),
  };
}

async function byNetwork(
  { splits }: AllImages,
  { predictor, description: { classes, preprocessing } }: JudgingModel,
  { signal, onImage }: CheckLabelsOptions,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { name: split, dataset } of splits) {
    const aligned = alignClasses(dataset, { classes });
    const results = await predictions(aligned, {
      members: [{ predictor, preprocessing }],
      views: { crops: 1 },
      ...(signal && { signal }),
      // The check has told of them already.
      onBroken: () => undefined,
      onPrediction: () => onImage?.(),
    });
    for (const prediction of results)
      verdicts.push({ split, file: aligned.nameOf(prediction.index), prediction });
  }
  return verdicts;
}

/** Copies and look-alikes are in one fold: a wrong label is not confirmed by a copy that has it too. */
async function byFolds(
  { all, check, indexOf }: Checked,
  { engine, features, cache, description: { classes } }: JudgingFeatures,
  { signal, onImage, onNotice }: CheckLabelsOptions,
): Promise<{ verdicts: readonly Verdict[]; crossValidated: CrossValidated }> {
  const dataset = asOne(all, classes);
  const part = findPart(features.graph);
  const table = await featuresOf(dataset, {
    model: features,
    parts: [part],
    batch,
    cache,
    onBroken: () => undefined,
    onImage: () => onImage?.(),
    onNotice,
    ...(signal && { signal }),
  });
  const rowOf = new Map(table.indices.map((index, row) => [index, row]));
  const labels = table.indices.map((index) => dataset.label(index));
  const { probabilities, folds, error } = await crossValidate((data) => openRegression(engine, data), {
    values: table.parts[0]?.values as Float32Array,
    length: part.length,
    labels,
    classes: classes.length,
    groups: [...check.identical, ...check.near].map(({ images }) =>
      images.flatMap(({ file }) => rowOf.get(indexOf(file)) ?? []).sort((a, b) => a - b),
    ),
  });
  const verdicts = table.indices.flatMap((index, row): Verdict[] => {
    const found = probabilities[row];
    if (!found) return [];
    const prediction = predictionOf(found, { index, label: labels[row] as number });
    return [{ split: all.at(index).split.name, file: dataset.nameOf(index), prediction }];
  });
  const notJudged = table.indices.length - verdicts.length;
  return { verdicts, crossValidated: { features: features.source, folds, error, notJudged } };
}

/** The images of all splits as one data set, with the labels of the model. */
function asOne({ splits, length, at }: AllImages, classes: readonly string[]): Dataset {
  const aligned = new Map(splits.map((split) => [split, alignClasses(split.dataset, { classes })]));
  const of = <T>(index: number, take: (dataset: Dataset, inside: number) => T): T => {
    const { split, index: inside } = at(index);
    return take(aligned.get(split) as Dataset, inside);
  };
  const isEncoded = splits.every(({ dataset }) => dataset.encoded !== undefined);
  return {
    name: 'all images',
    length,
    classes,
    label: (index) => of(index, (dataset, inside) => dataset.label(inside)),
    image: (index) => of(index, (dataset, inside) => dataset.image(inside)),
    nameOf: (index) => of(index, (dataset, inside) => dataset.nameOf(inside)),
    ...(isEncoded && {
      encoded: (index: number) =>
        of(index, (dataset, inside) => dataset.encoded?.(inside) as EncodedImage | Promise<EncodedImage>),
    }),
  };
}

/** The images that the model was trained on; undefined if it was trained on other data, or does not say. */
async function trainedFiles(
  source: string,
  { all, data, validation }: { all: AllImages; data?: string; validation?: ValidationSource },
): Promise<ReadonlySet<string> | undefined> {
  if (!isTrainedOn(source, { ...(data !== undefined && { data }) })) return undefined;
  const hasFolder = all.splits.some(({ name }) => name === 'validation');
  const [first] = all.splits;
  const train =
    typeof validation === 'number' && !hasFolder
      ? (await openSplits(source, { validation })).train
      : first?.dataset;
  return new Set(Array.from({ length: train?.length ?? 0 }, (_, index) => train?.nameOf(index) as string));
}
