/** Top-1 and top-5 error, cross-entropy and confusion, from the predictions of single images. */
import type { Dataset } from '../data/dataset.ts';
import { type PredictOptions, predictImages } from '../predict/predict-images.ts';
import { topClasses } from '../predict/top-classes.ts';

/** What is kept of one image: enough for every number of a score. */
export interface Prediction {
  readonly index: number;
  /** The data's label. */
  readonly label: number;
  /** The five most probable labels, most probable first. */
  readonly top: readonly number[];
  /** Of the most probable label. */
  readonly probability: number;
  /** Cross-entropy in nats. */
  readonly loss: number;
}

export interface Score {
  /** Images that count. */
  readonly count: number;
  /** Share of images whose label is not the most probable class, 0–1. */
  readonly top1Error: number;
  /** Share of images whose label is not among the five most probable classes, 0–1. */
  readonly top5Error: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** [label][prediction], in images. */
  readonly confusion: readonly (readonly number[])[];
}

export interface ScoreOptions extends PredictOptions {
  /** Called after every image with the images done and the views computed for it. */
  readonly onPrediction?: (prediction: Prediction, views: number) => void;
}

/** Predicts images and keeps what a score needs. */
export async function predictions(dataset: Dataset, options: ScoreOptions): Promise<Prediction[]> {
  const found: Prediction[] = [];
  for await (const { index, probabilities, views } of predictImages(dataset, options)) {
    const top = topClasses(probabilities, { classes: probabilities.length, k: 5 });
    const label = dataset.label(index);
    // A probability of zero has no logarithm; the smallest normal float32 stands for it.
    const loss = -Math.log(Math.max(probabilities[label] ?? 0, 1.1754944e-38));
    const prediction = {
      index,
      label,
      top: top.map((each) => each.label),
      probability: top[0]?.probability ?? 0,
      loss,
    };
    found.push(prediction);
    options.onPrediction?.(prediction, views);
  }
  return found;
}

/** Labels that count as right for an image, where they are not the data's; none leaves the image out. */
export type AcceptedLabels = (index: number) => readonly number[];

/** The score of predictions. */
export function scoreOf(
  found: readonly Prediction[],
  { classes, accepted }: { classes: number; accepted?: AcceptedLabels | undefined },
): Score {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let [count, missed1, missed5, loss] = [0, 0, 0, 0];
  for (const { index, label, top, loss: own } of found) {
    const right = accepted ? accepted(index) : [label];
    if (right.length === 0) continue;
    count++;
    const guess = top[0] as number;
    const row = confusion[label];
    if (row) row[guess] = (row[guess] ?? 0) + 1;
    if (!right.includes(guess)) missed1++;
    if (!top.some((each) => right.includes(each))) missed5++;
    loss += own;
  }
  return { count, top1Error: missed1 / count, top5Error: missed5 / count, loss: loss / count, confusion };
}

/** Predicts every image of a dataset and scores it. */
export async function score(dataset: Dataset, options: ScoreOptions): Promise<Score> {
  return scoreOf(await predictions(dataset, options), { classes: dataset.classes.length });
}
