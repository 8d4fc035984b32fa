/**
 * Predictions of single images as a CSV file, which is both a report and the log from which an interrupted evaluation resumes.
 * `FILE.json` beside it describes the evaluation.
 */

import { readFile, writeFile } from 'node:fs/promises';
import Papa from 'papaparse';
import { z } from 'zod';
import type { Dataset } from '../data/dataset.ts';
import { appendLines } from './append-lines.ts';
import { PredictionsError } from './predictions-error.ts';
import type { Prediction } from './score.ts';

/** `label` and `predicted` are names, which may occur twice (ImageNet's cranes); the indices are those of the model's outputs. */
const columns = [
  'index',
  'file',
  'label',
  'label_index',
  'predicted',
  'predicted_index',
  'probability',
  'loss',
  'top5',
] as const;

/** Empty cells stand for an image without a label. */
const emptyAs = (value: number) => z.literal('').transform(() => value);

const row = z.object({
  index: z.coerce.number().int().min(0),
  label_index: emptyAs(-1).or(z.coerce.number().int().min(0)),
  probability: z.coerce.number(),
  loss: emptyAs(Number.NaN).or(z.coerce.number()),
  top5: z.string().regex(/^\d+( \d+)*$/),
});

export interface PredictionsFile {
  /** Predictions already in the file. */
  readonly previous: readonly Prediction[];
  add(prediction: Prediction): void;
  /** Waits until all rows are written. */
  close(): Promise<void>;
}

/**
 * Opens a file for predictions on a data set whose classes are those that compete; with `resume` its rows are kept.
 * @throws PredictionsError if its rows belong to another evaluation.
 */
export async function openPredictions(
  path: string,
  { dataset, evaluation, resume }: { dataset: Dataset; evaluation: object; resume: boolean },
): Promise<PredictionsFile> {
  const description = `${JSON.stringify(evaluation, null, 2)}\n`;
  const previous = resume ? await readPredictions(path, description) : [];
  if (previous.length === 0) {
    await writeFile(`${path}.json`, description);
    await writeFile(path, `${columns.join(',')}\n`);
  } else {
    // Drops a last line that was cut off when the process was killed.
    await writeFile(
      path,
      `${columns.join(',')}\n${previous.map((prediction) => line(prediction, dataset)).join('')}`,
    );
  }
  const lines = appendLines(path);
  return { previous, add: (prediction) => lines.add(line(prediction, dataset)), close: lines.close };
}

function line({ index, label, top, probability, loss }: Prediction, { classes, nameOf }: Dataset): string {
  const [best] = top as [number];
  const hasLabel = label >= 0;
  const cells = [
    index,
    nameOf(index),
    hasLabel ? classes[label] : '',
    hasLabel ? label : '',
    classes[best],
    best,
    +probability.toPrecision(7),
    hasLabel ? +loss.toPrecision(7) : '',
    top.join(' '),
  ];
  return `${Papa.unparse([cells], { newline: '\n' })}\n`;
}

async function readPredictions(path: string, description: string): Promise<Prediction[]> {
  const [savedDescription, text] = await Promise.all(
    [`${path}.json`, path].map((file) => readFile(file, 'utf8').catch(() => undefined)),
  );
  if (text === undefined) return [];
  if (savedDescription !== description)
    throw new PredictionsError(
      `${path}: its predictions are from another evaluation (see ${path}.json); choose another file, or omit --resume to start over`,
    );
  const { data } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  return data.flatMap((cells) => {
    const result = row.safeParse(cells);
    if (!result.success) return [];
    const { top5, label_index: label, ...rest } = result.data;
    return [{ ...rest, label, top: top5.split(' ').map(Number) }];
  });
}
