/** Top-1 and top-5 error, cross-entropy and confusion of anything that predicts probabilities. */
import { evaluationBatches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Preprocessing } from '../data/preprocess.ts';

export interface Predictor {
  /** Pictures in one call. */
  readonly batch: number;
  readonly classes: number;
  /** From [batch, height, width, 3] to probabilities [batch, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
}

export interface Score {
  /** Pictures. */
  readonly count: number;
  /** Share of pictures whose label is not the most probable class, 0–1. */
  readonly top1Error: number;
  /** Share of pictures whose label is not among the five most probable classes, 0–1. */
  readonly top5Error: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** [label][prediction], in pictures. */
  readonly confusion: readonly (readonly number[])[];
}

export interface Ranked {
  readonly label: number;
  readonly probability: number;
}

/** The k most probable classes of row `row`, most probable first; of equal ones the smaller label. */
export function topClasses(
  probabilities: Float32Array,
  { row, classes, k }: { row: number; classes: number; k: number },
): Ranked[] {
  const values = probabilities.subarray(row * classes, (row + 1) * classes);
  return Array.from(values, (probability, label) => ({ label, probability }))
    .sort((a, b) => b.probability - a.probability || a.label - b.label)
    .slice(0, k);
}

export interface ScoreOptions {
  readonly preprocessing: Preprocessing;
  /** Called after every batch with the pictures done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Predicts every picture of a dataset once. */
export async function score(dataset: Dataset, predictor: Predictor, options: ScoreOptions): Promise<Score> {
  const { batch, classes } = predictor;
  const { preprocessing, onProgress } = options;
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let [count, missed1, missed5, loss] = [0, 0, 0, 0];
  for await (const { images, labels, indices } of evaluationBatches(dataset, { batch, preprocessing })) {
    const probabilities = await predictor.predict(images);
    for (const row of indices.keys()) {
      const label = Number(labels[row]);
      const best = topClasses(probabilities, { row, classes, k: 5 });
      const guess = (best[0] as Ranked).label;
      (confusion[label] as number[])[guess] = ((confusion[label] as number[])[guess] ?? 0) + 1;
      if (guess !== label) missed1++;
      if (!best.some((each) => each.label === label)) missed5++;
      // A probability of zero has no logarithm; the smallest normal float32 stands for it.
      loss -= Math.log(Math.max(probabilities[row * classes + label] as number, 1.1754944e-38));
    }
    count += indices.length;
    onProgress?.(count, dataset.length);
  }
  return { count, top1Error: missed1 / count, top5Error: missed5 / count, loss: loss / count, confusion };
}
