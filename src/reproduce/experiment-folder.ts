/** What an experiment keeps in its folder beside the records of its trainings: what was asked for, and what was measured. */
import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { InceptionError, UsageError } from '../errors.ts';
import type { Network } from '../networks/notation.ts';
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
  /** A folder's name, without where it lies. */
  data: z.exactOptional(z.string()),
  /** What images the data have. */
  splits: z.exactOptional(z.array(z.string()).readonly()),
});
/** `experiment.json`. */
export type ExperimentRecord = z.infer<typeof asked>;

/** By what a data set is known wherever it lies. The records of the runs hold hashes of its images' names and labels. */
export const nameOfData = (data: string): string => basename(data);

/** A file's text; undefined where there is none. */
export const readOptional = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
  const text = await readOptional(path);
  return text === undefined ? undefined : parseJson(text, { schema, path, Failure: ExperimentError });
};

const write = async (path: string, value: unknown): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await replaceText(path, `${JSON.stringify(value, null, 2)}\n`);
};

const experimentFile = (folder: string) => join(folder, 'experiment.json');
const measurementFile = (folder: string, name: string) => join(folder, 'measurements', `${name}.json`);
export const runFolderOf = (folder: string, { name }: { readonly name: string }): string =>
  join(folder, 'runs', name);
/** Of a network that has no name of its own, as a file that `inception train` takes. */
export const figureFileOf = (folder: string, { name }: Pick<Network, 'name'>): string =>
  join(folder, 'networks', `${name}.json`);

export async function writeFigures(folder: string, figures: readonly Network[]): Promise<void> {
  for (const figure of figures) await write(figureFileOf(folder, figure), figure);
}
export const logFile = (folder: string, name: string) => join(folder, 'logs', `${name}.log`);

/**
 * Begins an experiment in a folder, or goes on with it: more seeds are added, everything else has to be as it was.
 * @throws UsageError naming what differs
 */
export async function openExperiment(
  folder: string,
  {
    splitsOf,
    ...wanted
  }: Omit<ExperimentRecord, 'splits'> & {
    /** Opens the data; where the experiment has been elsewhere before, they need not be here. */
    readonly splitsOf?: (() => Promise<readonly string[]>) | undefined;
  },
): Promise<ExperimentRecord> {
  const before = await read(experimentFile(folder), asked);
  for (const key of ['claim', 'scale', 'data'] as const)
    if (before && before[key] !== wanted[key])
      throw new UsageError(
        `${folder}: holds an experiment with ${key} ${before[key] ?? 'left out'}, received ${wanted[key] ?? 'none'}; expected the same command, or another --out`,
      );
  const splits = before?.splits ?? (await splitsOf?.());
  const record = { ...wanted, ...(splits && { splits }) };
  await write(experimentFile(folder), record);
  return record;
}

export const readMeasurement = <T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> => read(measurementFile(folder, name), schema);

/** A measurement that is there already is not made again. */
export async function measureOnce<T>(
  folder: string,
  name: string,
  {
    schema,
    measure,
  }: {
    readonly schema: z.ZodType<T>;
    /** Undefined where it was interrupted. */
    readonly measure: () => Promise<T | undefined>;
  },
): Promise<T | undefined> {
  const path = measurementFile(folder, name);
  const before = await read(path, schema);
  if (before !== undefined) return before;
  const value = await measure();
  if (value !== undefined) await write(path, value);
  return value;
}
