/**
 * Predictions of single images as a CSV file: a table for people, and the log from which an interrupted evaluation goes
 * on. What was evaluated how stands beside it as `FILE.json`.
 */

import { appendFile, readFile, writeFile } from 'node:fs/promises';
import Papa from 'papaparse';
import { z } from 'zod';
import type { Dataset } from '../data/dataset.ts';
import { InceptionError } from '../errors.ts';
import type { Prediction } from './score.ts';

/** A file of predictions that belongs to something else, or is broken. */
export class PredictionsError extends InceptionError {
  override name = 'PredictionsError';
}

const columns = ['index', 'file', 'label', 'predicted', 'probability', 'loss', 'top5'] as const;

const row = z.object({
  index: z.coerce.number().int().min(0),
  label: z.coerce.number().int(),
  probability: z.coerce.number(),
  loss: z.coerce.number(),
  top5: z.string().regex(/^\d+( \d+)*$/),
});

export interface PredictionsFile {
  /** Those that were there already. */
  readonly before: readonly Prediction[];
  add(prediction: Prediction): void;
  /** Waits until all lines are written. */
  close(): Promise<void>;
}

/**
 * Opens a file for predictions; a resumed one keeps its rows.
 * @throws PredictionsError if its rows belong to another evaluation.
 */
export async function openPredictions(
  path: string,
  {
    dataset,
    classes,
    about,
    resume,
  }: { dataset: Dataset; classes: readonly string[]; about: object; resume: boolean },
): Promise<PredictionsFile> {
  const description = `${JSON.stringify(about, null, 2)}\n`;
  const before = resume ? await readPredictions(path, description) : [];
  if (before.length === 0) {
    await writeFile(`${path}.json`, description);
    await writeFile(path, `${columns.join(',')}\n`);
  } else {
    // A kill may have cut the last line.
    await writeFile(
      path,
      `${columns.join(',')}\n${before.map((each) => line(each, { dataset, classes })).join('')}`,
    );
  }
  let pending = '';
  let writing: Promise<void> = Promise.resolve();
  const flush = () => {
    const text = pending;
    pending = '';
    writing = writing.then(() => appendFile(path, text));
    writing.catch(() => undefined);
  };
  return {
    before,
    add: (prediction) => {
      pending += line(prediction, { dataset, classes });
      if (pending.length > 16_384) flush();
    },
    close: async () => {
      flush();
      await writing;
    },
  };
}

function line(
  { index, label, top, probability, loss }: Prediction,
  { dataset, classes }: { dataset: Dataset; classes: readonly string[] },
): string {
  const predicted = classes[top[0] as number] ?? String(top[0]);
  const cells = [
    index,
    dataset.nameOf(index),
    label,
    predicted,
    +probability.toPrecision(7),
    +loss.toPrecision(7),
    top.join(' '),
  ];
  return `${Papa.unparse([cells], { newline: '\n' })}\n`;
}

async function readPredictions(path: string, description: string): Promise<Prediction[]> {
  const [known, text] = await Promise.all(
    [`${path}.json`, path].map((each) => readFile(each, 'utf8').catch(() => undefined)),
  );
  if (text === undefined) return [];
  if (known !== description)
    throw new PredictionsError(
      `${path}: its predictions are of another evaluation (${path}.json says which); choose another file, or leave --resume out to begin anew`,
    );
  const { data } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  return data.flatMap((cells) => {
    const result = row.safeParse(cells);
    if (!result.success) return [];
    const { top5, ...rest } = result.data;
    return [{ ...rest, top: top5.split(' ').map(Number) }];
  });
}
