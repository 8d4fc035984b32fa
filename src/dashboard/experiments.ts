/** Experiments of `inception reproduce`: folders whose trainings are in `runs/ARM-seedN`, with a report beside them. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../parse-json.ts';
import type { ExperimentSummary } from './api.ts';
import { RunFileError, readText, statusOf } from './run-file.ts';

const experimentFile = 'experiment.json';
const reportFile = 'report.html';
const recordsFolder = 'records';

/** What the page reads of experiment.json. */
const schema = z.object({
  format: z.literal(1),
  claim: z.string(),
  scale: z.string(),
  seeds: z.int().min(1),
  data: z.exactOptional(z.string()),
});

const limits = { experiment: { maxBytes: 2 ** 20 }, report: { maxBytes: 2 ** 24 } } as const;

/** Whatever has the name, as of runs: one whose experiment.json is a link is listed with the reason why it is not read. */
export const isExperiment = (folder: string): boolean => statusOf(folder, experimentFile) !== undefined;

/** Of its trainings; undefined where there are none, or where a link would lead elsewhere. */
export const trainingsOf = (folder: string): string | undefined =>
  statusOf(folder, 'runs')?.isDirectory() ? join(folder, 'runs') : undefined;

/** @throws RunFileError unless experiment.json is what `inception reproduce` writes */
export async function readExperiment(id: string, folder: string): Promise<ExperimentSummary> {
  const text = (await readText(folder, experimentFile, limits.experiment)) ?? '';
  const record = parseJson(text, { schema, path: experimentFile, Failure: RunFileError });
  const { claim, scale, seeds, data } = record;
  const records = statusOf(folder, recordsFolder)?.isDirectory()
    ? await readdir(join(folder, recordsFolder))
    : [];
  return {
    ...{ id, claim, scale, seeds, ...(data !== undefined && { data }) },
    ended: records.filter((name) => name.endsWith('.json')).length,
    hasReport: statusOf(folder, reportFile)?.isFile() ?? false,
  };
}

/** `report.html`, in which figures are drawn; undefined before the first. @throws RunFileError */
export const readReport = (folder: string): Promise<string | undefined> =>
  readText(folder, reportFile, limits.report);

/** Changes with what {@link readExperiment} reads. */
export const versionOf = (folder: string): string =>
  [experimentFile, reportFile, recordsFolder].map((name) => statusOf(folder, name)?.mtimeMs).join(' ');
