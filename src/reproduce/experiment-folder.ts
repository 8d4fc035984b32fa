/** What an experiment keeps in its folder beside the runs: what was asked for, how each training ended, and what was measured. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { InceptionError, UsageError } from '../errors.ts';
import { parseJson } from '../parse-json.ts';
import { replaceText } from '../replace-file.ts';
import { scaleNames } from './claim.ts';

/** An experiment that cannot go on. */
export class ExperimentError extends InceptionError {
  override name = 'ExperimentError';
}

const asked = z.strictObject({
  format: z.literal(1),
  claim: z.string(),
  scale: z.enum(scaleNames),
  seeds: z.int().min(1),
  data: z.exactOptional(z.string()),
});
/** `experiment.json`. */
export type ExperimentRecord = z.infer<typeof asked>;

const outcome = z.strictObject({
  /** How it ended: with its last epoch, by the alarm for dead networks, or with a loss that was no number. */
  ended: z.enum(['finished', 'died', 'diverged']),
  /** What the training said, where it ended early. */
  message: z.exactOptional(z.string()),
});
/** `outcomes/RUN.json`: written once a training has a result; a death is one, and is not tried again. */
export type Outcome = z.infer<typeof outcome>;

const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : parseJson(text, { schema, path, Failure: ExperimentError });
};

const write = async (path: string, value: unknown): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await replaceText(path, `${JSON.stringify(value, null, 2)}\n`);
};

const experimentFile = (folder: string) => join(folder, 'experiment.json');
const outcomeFile = (folder: string, run: string) => join(folder, 'outcomes', `${run}.json`);
const measurementFile = (folder: string, name: string) => join(folder, 'measurements', `${name}.json`);
export const logFile = (folder: string, name: string) => join(folder, 'logs', `${name}.log`);

/**
 * Begins an experiment in a folder, or goes on with it: more seeds are added, everything else has to be as it was.
 * @throws UsageError naming what differs
 */
export async function openExperiment(folder: string, wanted: ExperimentRecord): Promise<void> {
  const before = await read(experimentFile(folder), asked);
  for (const key of ['claim', 'scale', 'data'] as const)
    if (before && before[key] !== wanted[key])
      throw new UsageError(
        `${folder}: holds an experiment with ${key} ${before[key] ?? 'left out'}, received ${wanted[key] ?? 'none'}; expected the same command, or another --out`,
      );
  await write(experimentFile(folder), wanted);
}

export const readOutcome = (folder: string, run: string): Promise<Outcome | undefined> =>
  read(outcomeFile(folder, run), outcome);

export const writeOutcome = (folder: string, run: string, value: Outcome): Promise<void> =>
  write(outcomeFile(folder, run), value);

/** A measurement that is there already is not made again. */
export async function measureOnce<T>(
  folder: string,
  name: string,
  { schema, measure }: { readonly schema: z.ZodType<T>; readonly measure: () => Promise<T> },
): Promise<T> {
  const path = measurementFile(folder, name);
  const before = await read(path, schema);
  if (before !== undefined) return before;
  const value = await measure();
  await write(path, value);
  return value;
}
