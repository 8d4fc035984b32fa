/** The runs in a folder, for the dashboard. Only names listed in the folder itself are opened, and only regular files. */
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../parse-json.ts';
import { parseConfiguration } from '../train/configuration/configuration.ts';
import type {
  EvaluationMetrics,
  EvaluationRecord,
  LabelsRecord,
  Metrics,
  TestMetrics,
} from '../train/run/records.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import type { ExperimentSummary, MetricsPart, RunList, RunSummary } from './api.ts';
import { isExperiment, readExperiment, trainingsOf } from './experiments.ts';
import { parseMetrics } from './metrics-lines.ts';
import { notesFile, readNotes } from './notes.ts';
import { openRegular, openSized, RunFileError, readPart, readText, statusOf } from './run-file.ts';

const mebibyte = 2 ** 20;
/** A million steps, with a line for every ten, are 35 MiB; 21,841 class names are 1 MiB. */
export const limits = {
  configuration: { maxBytes: 16 * mebibyte },
  metrics: { maxBytes: 64 * mebibyte },
  evaluation: { maxBytes: 64 * mebibyte },
} as const;

/** What is in a folder: real paths by id. Linked folders are not followed. */
export interface Found {
  readonly runs: ReadonlyMap<string, string>;
  readonly experiments: ReadonlyMap<string, string>;
}

/** Runs and experiments in `root`, with the experiments' runs; or `root` itself, if it is one. */
export async function findRuns(root: string): Promise<Found> {
  const real = await realpath(root).catch(() => undefined);
  if (real === undefined) return { runs: new Map(), experiments: new Map() };
  const name = basename(resolve(root));
  if (isRun(real)) return { runs: new Map([[name, real]]), experiments: new Map() };
  const folders: ReadonlyMap<string, string> = isExperiment(real)
    ? new Map([[name, real]])
    : await foldersIn(real);
  const experiments = new Map([...folders].filter(([, folder]) => !isRun(folder) && isExperiment(folder)));
  const runs = new Map<string, string>();
  for (const [id, folder] of folders) {
    if (isRun(folder)) runs.set(id, folder);
    const trainings = experiments.has(id) ? trainingsOf(folder) : undefined;
    if (trainings !== undefined)
      for (const [training, path] of await foldersIn(trainings))
        if (isRun(path)) runs.set(`${id}/${training}`, path);
  }
  return { runs, experiments };
}

/** Run folders by id. */
export const runFolders = async (root: string): Promise<Found['runs']> => (await findRuns(root)).runs;

/** By name, in their order. */
async function foldersIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  return new Map(names.map((name) => [name, join(folder, name)] as const));
}

/** Whatever has the name: a run whose config.json is a link is listed with the reason why it is not read. */
const isRun = (folder: string): boolean => statusOf(folder, 'config.json') !== undefined;

/** Whether a process trains in the folder. */
export async function isTraining(folder: string): Promise<boolean> {
  if (!statusOf(folder, 'pid')) return false;
  const file = await openRegular(folder, 'pid').catch(() => undefined);
  if (!file) return false;
  await file.close();
  return new RunFolder(folder).isTraining();
}

/** All readable runs, most recently changed first; unreadable ones with the reason. */
export async function listRuns(root: string, summaries = new Summaries()): Promise<RunList> {
  const runs: RunSummary[] = [];
  const broken: { id: string; reason: string }[] = [];
  const { runs: folders, experiments: found } = await findRuns(root);
  const entries = [...folders];
  // Some at a time: the disk's answers are waited for together, without opening a file of every run at once.
  for (let start = 0; start < entries.length; start += 32) {
    const part = entries.slice(start, start + 32);
    const results = await Promise.allSettled(part.map(([id, folder]) => summaries.of(id, folder)));
    for (const [index, result] of results.entries()) {
      const [id] = part[index] as [string, string];
      if (result.status === 'fulfilled') runs.push(result.value);
      else broken.push({ id, reason: `${id}/${(result.reason as Error).message.slice(0, 500)}` });
    }
  }
  summaries.keepOnly(new Set(folders.values()));
  const experiments: ExperimentSummary[] = [];
  for (const [id, folder] of found)
    try {
      experiments.push(await readExperiment(id, folder));
    } catch (error) {
      broken.push({ id, reason: `${id}/${(error as Error).message.slice(0, 500)}` });
    }
  return { runs: runs.sort((a, b) => b.changed - a.changed), experiments, broken };
}

/** Summaries of runs, read again only when the size or time of one of their files has changed. */
export class Summaries {
  readonly #cached = new Map<string, { readonly version: string; readonly summary: RunSummary }>();

  /** @throws RunFileError, or a configuration's error */
  async of(id: string, folder: string): Promise<RunSummary> {
    const files = ['config.json', 'metrics.jsonl', notesFile].map((name) => statusOf(folder, name));
    const version = files.map((file) => `${file?.ino} ${file?.size} ${file?.mtimeMs}`).join(' ');
    const training = await isTraining(folder);
    const known = this.#cached.get(folder);
    const summary = known?.version === version ? known.summary : await summarise(id, folder, files[1]);
    this.#cached.set(folder, { version, summary });
    return { ...summary, training };
  }

  keepOnly(folders: ReadonlySet<string>): void {
    for (const folder of this.#cached.keys()) if (!folders.has(folder)) this.#cached.delete(folder);
  }
}

/** `file` is the status of metrics.jsonl. */
async function summarise(
  id: string,
  folder: string,
  file: { readonly size: number; readonly mtimeMs: number } | undefined,
): Promise<RunSummary> {
  const text = (await readText(folder, 'config.json', limits.configuration)) ?? '';
  const { network, options, data, classes, recipe, seed, ...rest } = parseConfiguration(text, 'config.json');
  const { precision, device, limitTrain } = rest;
  const metrics = await lastMetrics(folder);
  const last = metrics.at(-1);
  return {
    id,
    network,
    options,
    data,
    classes: classes.length,
    seed,
    settings: flatten({ ...recipe, options, precision, device, limitTrain }),
    epochs: recipe.epochs,
    batch: recipe.batch,
    step: last?.step ?? 0,
    epoch: last?.epoch ?? 0,
    elapsedSeconds: last?.elapsedSeconds ?? 0,
    evaluation: metrics.findLast((line): line is EvaluationMetrics => line.kind === 'evaluation'),
    test: metrics.findLast((line): line is TestMetrics => line.kind === 'test'),
    training: false,
    // Asked first: to fail to open a file costs a thousand runs a tenth of a second.
    tags: statusOf(folder, notesFile) ? ((await readNotes(folder).catch(() => undefined))?.tags ?? []) : [],
    size: file?.size ?? 0,
    changed: file?.mtimeMs ?? 0,
  };
}

/** `{ schedule: { kind: 'cosine' } }` → `{ 'schedule.kind': 'cosine' }`; null is 'none'. */
export function flatten(value: object, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => {
      if (each === undefined) return [];
      if (typeof each === 'object' && each !== null && !Array.isArray(each))
        return Object.entries(flatten(each, `${prefix}${key}.`));
      return [
        [
          `${prefix}${key}`,
          each === null ? 'none' : Array.isArray(each) ? JSON.stringify(each) : String(each),
        ],
      ];
    }),
  );
}

/** Bytes of a metrics.jsonl that a list reads whole. Of longer ones it reads the end. */
const wholeBytes = 16 * 1024;

/**
 * The last lines of metrics.jsonl: as many as reach back to an evaluation. All of a short file's, so that a malformed line is told in
 * the list; in a long one it is told where the curves are read.
 * @throws RunFileError naming a malformed line.
 */
async function lastMetrics(folder: string): Promise<readonly Metrics[]> {
  const opened = await openSized(folder, 'metrics.jsonl');
  if (!opened) return [];
  try {
    const { size } = opened;
    for (let length = size <= wholeBytes ? wholeBytes : wholeBytes / 8; ; length *= 4) {
      const from = Math.max(0, size - length);
      const { bytes } = await readPart(opened, { name: 'metrics.jsonl', from, ...limits.metrics });
      // Past the line that the offset cuts, and without an incomplete last one.
      const first = from === 0 ? 0 : bytes.indexOf('\n') + 1;
      const end = bytes.lastIndexOf('\n') + 1;
      const metrics = parseMetrics(bytes.toString('utf8', Math.min(first, end), end), {
        start: from + first,
      });
      if (from === 0 || metrics.some(({ kind }) => kind === 'evaluation')) return metrics;
    }
  } finally {
    await opened.file.close();
  }
}

/** The complete lines of metrics.jsonl from a byte offset on. @throws RunFileError naming a malformed line. */
export async function readMetrics(folder: string, offset: number): Promise<MetricsPart> {
  const opened = await openSized(folder, 'metrics.jsonl');
  if (!opened) return { continues: offset === 0, next: 0, metrics: [] };
  try {
    const { start, bytes } = await readPart(opened, {
      name: 'metrics.jsonl',
      from: offset,
      ...limits.metrics,
    });
    // An incomplete last line is left for the next part.
    const end = bytes.lastIndexOf('\n') + 1;
    const metrics = parseMetrics(bytes.toString('utf8', 0, end), { start });
    return { continues: start === offset, next: start + end, metrics };
  } finally {
    await opened.file.close();
  }
}

const index = z.int().min(0);
const mistake = z.object({
  index,
  label: index,
  predicted: index,
  probability: z.number(),
  image: z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/, 'expected base64'),
});
/** What the page reads of evaluation.json. */
const evaluationSchema = z.object({
  format: z.literal(1),
  step: z.number(),
  epoch: z.number(),
  split: z.exactOptional(z.enum(['validation', 'test'])),
  classes: z.array(z.string()),
  confusion: z.array(z.tuple([index, index, index])),
  mistakes: z.array(mistake),
});
/** What the page reads of labels.json. */
const labelsSchema = z.object({
  format: z.literal(1),
  classes: z.array(z.string()),
  found: index,
  crossValidated: z.exactOptional(z.boolean()),
  images: z.array(mistake.extend({ file: z.string(), trainedOn: z.boolean().nullable() })),
});

/**
 * `evaluation.json` of the last evaluation, or undefined for a run without one.
 * @throws RunFileError unless it is what an evaluation writes: nothing else is sent.
 */
export async function readEvaluation(folder: string): Promise<EvaluationRecord | undefined> {
  const text = await readText(folder, 'evaluation.json', limits.evaluation);
  if (text === undefined) return undefined;
  return parseJson(text, { schema: evaluationSchema, path: 'evaluation.json', Failure: RunFileError });
}

/** `labels.json`, or undefined for a run whose data's labels were not checked. @throws RunFileError unless it is what a check writes. */
export async function readLabels(folder: string): Promise<LabelsRecord | undefined> {
  const text = await readText(folder, 'labels.json', limits.evaluation);
  if (text === undefined) return undefined;
  return parseJson(text, { schema: labelsSchema, path: 'labels.json', Failure: RunFileError });
}
