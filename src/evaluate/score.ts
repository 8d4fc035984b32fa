/** Top-1 and top-5 error, cross-entropy, confusion and scores of each class, from the predictions of single images. */
import type { Dataset } from '../data/dataset.ts';
import { InceptionError } from '../errors.ts';
import { type PredictOptions, predictImages } from '../predict/predict-images.ts';
import { topClasses } from '../predict/top-classes.ts';
import { type ClassScores, type ConfusedPair, classScores } from './class-scores.ts';

/** There is nothing to compute a score from. */
export class ScoreError extends InceptionError {
  override name = 'ScoreError';
}

/** The result for one image: enough to compute every score. */
export interface Prediction {
  readonly index: number;
  /** The data's label; −1 if it has none. */
  readonly label: number;
  /** The five most probable labels, most probable first. */
  readonly top: readonly number[];
  /** Probability of the most probable label. */
  readonly probability: number;
  /** Cross-entropy in nats; not a number if the image has no label. */
  readonly loss: number;
}

/** Errors of a model on a data set. Balanced accuracy and the scores of each class are by the data's labels, as the confusion is. */
export interface Score extends ClassScores {
  /** Images that were scored. */
  readonly count: number;
  /** Fraction of images whose label is not the most probable class, 0–1. */
  readonly top1Error: number;
  /** Fraction of images whose label is not among the five most probable classes, 0–1. */
  readonly top5Error: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** The pairs of label and prediction that occur, sorted; a matrix of thousands of classes would be nearly empty. */
  readonly confusion: readonly ConfusedPair[];
}

export interface ScoreOptions extends PredictOptions {
  /** Called after every image, with the number of views computed for it. */
  readonly onPrediction?: (prediction: Prediction, views: number) => void;
}

/** Predicts all images and keeps what the scores need. */
export async function predictions(dataset: Dataset, options: ScoreOptions): Promise<Prediction[]> {
  const results: Prediction[] = [];
  for await (const { index, probabilities, views } of predictImages(dataset, options)) {
    const prediction = predictionOf(probabilities, { index, label: dataset.label(index) });
    results.push(prediction);
    options.onPrediction?.(prediction, views);
  }
  return results;
}

/** A prediction that has been JSON, which has null for what is not a number. */
export const readPrediction = (prediction: Prediction): Prediction => ({
  ...prediction,
  loss: prediction.loss ?? Number.NaN,
});

/** What the scores need of one image's probabilities. */
export function predictionOf(
  probabilities: Float32Array | Float64Array,
  { index, label }: { readonly index: number; readonly label: number },
): Prediction {
  const top = topClasses(probabilities, { classes: probabilities.length, k: 5 });
  // Log of zero is avoided by using the smallest normal float32 instead.
  const loss = label < 0 ? Number.NaN : -Math.log(Math.max(probabilities[label] as number, 1.1754944e-38));
  return {
    index,
    label,
    top: top.map((entry) => entry.label),
    probability: top[0]?.probability ?? 0,
    loss,
  };
}

/** Accepted labels of an image that replace the data's; an empty list excludes the image. */
export type AcceptedLabels = (image: Pick<Prediction, 'index' | 'label'>) => readonly number[];

/**
 * Computes the score of predictions.
 * @throws ScoreError if there is none with a label.
 */
export function scoreOf(
  predicted: readonly Prediction[],
  { accepted = ({ label }) => (label < 0 ? [] : [label]) }: { accepted?: AcceptedLabels | undefined } = {},
): Score {
  const scored = predicted.flatMap((prediction) => {
    const labels = accepted(prediction);
    return labels.length === 0 ? [] : [{ ...prediction, labels }];
  });
  const count = scored.length;
  if (count === 0)
    throw new ScoreError(
      `nothing to score: expected images with labels, received ${predicted.length === 0 ? 'none' : `${predicted.length} without`}`,
    );
  const [missed1, missed5, loss] = [
    scored.filter(({ labels, top }) => !labels.includes(top[0] as number)).length,
    scored.filter(({ labels, top }) => !top.some((candidate) => labels.includes(candidate))).length,
    scored.reduce((sum, prediction) => sum + prediction.loss, 0),
  ];
  const confusion = confusedPairs(scored);
  return {
    count,
    top1Error: missed1 / count,
    top5Error: missed5 / count,
    loss: loss / count,
    ...classScores(confusion),
    confusion,
  };
}

/** Counts the pairs of label and prediction that occur, sorted by both. */
export function confusedPairs(predicted: readonly Prediction[]): ConfusedPair[] {
  const counts = new Map<string, [number, number, number]>();
  for (const { label, top } of predicted) {
    const guess = top[0] as number;
    const key = `${label} ${guess}`;
    const pair = counts.get(key);
    if (pair) pair[2]++;
    else counts.set(key, [label, guess, 1]);
  }
  return [...counts.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** Predicts and scores every image of a data set. @throws ScoreError if it is empty or has no labels. */
export async function score(dataset: Dataset, options: ScoreOptions): Promise<Score> {
  return scoreOf(await predictions(dataset, options));
}
