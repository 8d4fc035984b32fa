/** Top-1 and top-5 error, cross-entropy and confusion, from the predictions of single images. */
import type { Dataset } from '../data/dataset.ts';
import { type PredictOptions, predictImages } from '../predict/predict-images.ts';
import { topClasses } from '../predict/top-classes.ts';

/** The result for one image: enough to compute every score. */
export interface Prediction {
  readonly index: number;
  /** The data's label. */
  readonly label: number;
  /** The five most probable labels, most probable first. */
  readonly top: readonly number[];
  /** Probability of the most probable label. */
  readonly probability: number;
  /** Cross-entropy in nats. */
  readonly loss: number;
}

/** Errors of a model on a data set. */
export interface Score {
  /** Images that were scored. */
  readonly count: number;
  /** Fraction of images whose label is not the most probable class, 0–1. */
  readonly top1Error: number;
  /** Fraction of images whose label is not among the five most probable classes, 0–1. */
  readonly top5Error: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** [label][prediction], in images. */
  readonly confusion: readonly (readonly number[])[];
}

export interface ScoreOptions extends PredictOptions {
  /** Called after every image, with the number of views computed for it. */
  readonly onPrediction?: (prediction: Prediction, views: number) => void;
}

/** Predicts all images and keeps what the scores need. */
export async function predictions(dataset: Dataset, options: ScoreOptions): Promise<Prediction[]> {
  const results: Prediction[] = [];
  for await (const { index, probabilities, views } of predictImages(dataset, options)) {
    const top = topClasses(probabilities, { classes: probabilities.length, k: 5 });
    const label = dataset.label(index);
    // Log of zero is avoided by using the smallest normal float32 instead.
    const loss = -Math.log(Math.max(probabilities[label] ?? 0, 1.1754944e-38));
    const prediction = {
      index,
      label,
      top: top.map((entry) => entry.label),
      probability: top[0]?.probability ?? 0,
      loss,
    };
    results.push(prediction);
    options.onPrediction?.(prediction, views);
  }
  return results;
}

/** Accepted labels of an image that replace the data's; an empty list excludes the image. */
export type AcceptedLabels = (index: number) => readonly number[];

/** Computes the score of predictions. */
export function scoreOf(
  predicted: readonly Prediction[],
  { classes, accepted }: { classes: number; accepted?: AcceptedLabels | undefined },
): Score {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let [count, missed1, missed5, loss] = [0, 0, 0, 0];
  for (const { index, label, top, loss: imageLoss } of predicted) {
    const acceptedLabels = accepted ? accepted(index) : [label];
    if (acceptedLabels.length === 0) continue;
    count++;
    const guess = top[0] as number;
    const row = confusion[label];
    if (row) row[guess] = (row[guess] ?? 0) + 1;
    if (!acceptedLabels.includes(guess)) missed1++;
    if (!top.some((candidate) => acceptedLabels.includes(candidate))) missed5++;
    loss += imageLoss;
  }
  return { count, top1Error: missed1 / count, top5Error: missed5 / count, loss: loss / count, confusion };
}

/** Predicts and scores every image of a data set. */
export async function score(dataset: Dataset, options: ScoreOptions): Promise<Score> {
  return scoreOf(await predictions(dataset, options), { classes: dataset.classes.length });
}
