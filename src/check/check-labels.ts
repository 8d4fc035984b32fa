/** Which labels are probably wrong: images of which a trained network is sure that they are something else. */
import { alignClasses } from '../data/align-classes.ts';
import { absoluteSource } from '../data/sources/absolute-source.ts';
import { openSplits, type ValidationSource } from '../data/splits/open-splits.ts';
import { type Prediction, predictions } from '../evaluate/score.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { Checked } from './check-data.ts';
import type { LabelCheck, SuspectLabel } from './data-check.ts';
import type { AllImages } from './open-all.ts';

/** A model as this check needs it. */
export interface JudgingModel {
  readonly source: string;
  readonly predictor: Predictor;
  readonly description: {
    readonly classes: readonly string[];
    readonly preprocessing: Preprocessing;
    readonly data?: string;
    readonly validation?: ValidationSource;
  };
}

export interface CheckLabelsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onImage?: () => void;
}

/** By how much the network's label is more probable than the given one. */
const margin = ({ probability, loss }: Prediction): number => probability - Math.exp(-loss);

/** Smaller differences are doubts, not findings. */
const leastMargin = 0.5;

/**
 * Ranks the images whose label the model disagrees with, the surest first. A network has often learnt a wrong label that it was trained
 * on by heart: those images are marked, and what it says of them is not cross-validated.
 * @throws DataError if the data have classes that the model has not
 */
export async function checkLabels(
  { all, check }: Checked,
  model: JudgingModel,
  { signal, onImage }: CheckLabelsOptions = {},
): Promise<LabelCheck> {
  const { classes, preprocessing } = model.description;
  const trained = await trainedFiles(check.source, { all, ...model.description });
  const found: (SuspectLabel & { readonly margin: number })[] = [];
  for (const { name, dataset } of all.splits) {
    const aligned = alignClasses(dataset, classes);
    const results = await predictions(aligned, {
      members: [{ predictor: model.predictor, preprocessing }],
      views: { crops: 1 },
      ...(signal && { signal }),
      // The check has told of them already.
      onBroken: () => undefined,
      onPrediction: () => onImage?.(),
    });
    for (const result of results) {
      if (result.top[0] === result.label || margin(result) < leastMargin) continue;
      const file = aligned.nameOf(result.index);
      found.push({
        file,
        split: name,
        class: classes[result.label] as string,
        predicted: classes[result.top[0] as number] as string,
        probability: result.probability,
        labelProbability: Math.exp(-result.loss),
        trainedOn: trained === undefined ? null : trained.has(file),
        margin: margin(result),
      });
    }
  }
  found.sort((a, b) => b.margin - a.margin || (a.file < b.file ? -1 : 1));
  return {
    model: model.source,
    crossValidated: false,
    trainedOn: trained?.size ?? null,
    images: found.map(({ margin: _, ...suspect }) => suspect),
  };
}

/** The images that the model was trained on; undefined if it was trained on other data, or does not say. */
async function trainedFiles(
  source: string,
  { all, data, validation }: { all: AllImages; data?: string; validation?: ValidationSource },
): Promise<ReadonlySet<string> | undefined> {
  if (data === undefined || absoluteSource(data) !== absoluteSource(source)) return undefined;
  const hasFolder = all.splits.some(({ name }) => name === 'validation');
  const [first] = all.splits;
  const train =
    typeof validation === 'number' && !hasFolder
      ? (await openSplits(source, { validation })).train
      : first?.dataset;
  return new Set(Array.from({ length: train?.length ?? 0 }, (_, index) => train?.nameOf(index) as string));
}
