/**
 * `records/RUN.json`: what an experiment keeps of a training that has ended. The report is made of records and measurements alone, so that an
 * experiment goes on elsewhere, and its numbers are kept, without the weights.
 */
import { mkdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../parse-json.ts';
import { replaceText } from '../replace-file.ts';
import type { StepMetrics, TestMetrics } from '../train/run/records.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import { ExperimentError, readOptional, runFolderOf } from './experiment-folder.ts';

/** A death is a result, and is not tried again. */
export interface Outcome {
  readonly ended: 'finished' | 'died' | 'diverged';
  readonly message?: string;
}

export const machineSchema = z.strictObject({
  processor: z.string(),
  device: z.enum(['cpu', 'cuda']),
  precision: z.enum(['float32', 'bfloat16']),
  threads: z.number(),
  libtorch: z.string(),
});
/** What a training or a measurement ran on. */
export type Machine = z.infer<typeof machineSchema>;

const scored = {
  step: z.number(),
  epoch: z.number(),
  top1Error: z.number(),
  top5Error: z.number(),
  elapsedSeconds: z.number(),
};
const numbers = z.array(z.number()).readonly();

const schema = z.strictObject({
  format: z.literal(1),
  /** How it ended: with its last epoch, by the alarm for dead networks, or with a loss that was no number. */
  ended: z.enum(['finished', 'died', 'diverged']),
  /** What the training said, where it ended early. */
  message: z.exactOptional(z.string()),
  machine: machineSchema,
  /** Without evaluations; of all processes that worked on it. */
  trainingSeconds: z.number(),
  classes: z.int(),
  /** Hashes of the names and labels of each split's images; of runs that are compared they are equal. */
  data: z.record(z.string(), z.string()),
  /** Warnings of a network that is dying. */
  remarks: z.exactOptional(z.array(z.string()).readonly()),
  /** Means over stretches of steps, by column: each ends with its step. */
  steps: z.strictObject({ step: numbers, loss: numbers, zeroShare: numbers }),
  evaluations: z
    .array(
      z.strictObject({
        ...scored,
        validationLoss: z.number(),
        blocks: z.exactOptional(
          z
            .array(
              z.strictObject({
                block: z.string(),
                residualRatio: z.number().nullable(),
                zeroShare: z.number(),
              }),
            )
            .readonly(),
        ),
      }),
    )
    .readonly(),
  test: z.exactOptional(z.strictObject({ ...scored, testLoss: z.number() })),
});
export type RunRecord = z.infer<typeof schema>;

const recordFile = (folder: string, run: string): string => join(folder, 'records', `${run}.json`);

export async function readRecord(folder: string, run: string): Promise<RunRecord | undefined> {
  const path = recordFile(folder, run);
  const text = await readOptional(path);
  return text === undefined ? undefined : parseJson(text, { schema, path, Failure: ExperimentError });
}

/** Writes the record of a training that has ended, from its run folder. */
export async function writeRecord(
  folder: string,
  run: { readonly name: string },
  ended: Outcome,
): Promise<void> {
  const runFolder = new RunFolder(runFolderOf(folder, run));
  const { classes, files, precision, device, threads, versions } = await runFolder.configuration();
  const metrics = await runFolder.metrics();
  const steps = metrics.filter((line) => line.kind === 'train');
  const remarks = steps.flatMap(({ remark }) => remark ?? []);
  const evaluations = metrics.filter((line) => line.kind === 'evaluation');
  const test = metrics.findLast((line) => line.kind === 'test');
  const record: RunRecord = {
    format: 1,
    ...ended,
    machine: {
      processor: device === 'cuda' ? 'CUDA device 0' : (cpus()[0]?.model ?? 'unknown processor'),
      ...{ device, precision, threads, libtorch: versions.libtorch },
    },
    trainingSeconds: Math.max(0, ...metrics.map(({ elapsedSeconds }) => elapsedSeconds)),
    classes: classes.length,
    data: Object.fromEntries(
      Object.entries(files ?? {}).map(([split, { sha256 }]) => [split, sha256] as const),
    ),
    ...(remarks.length > 0 && { remarks }),
    steps: thinned(steps),
    evaluations: evaluations.map(
      ({ step, epoch, top1Error, top5Error, elapsedSeconds, validationLoss, blocks }) => ({
        ...{ step, epoch, top1Error, top5Error, elapsedSeconds, validationLoss },
        ...(blocks && { blocks }),
      }),
    ),
    ...(test && { test: scoreOf(test) }),
  };
  await saveRecord(folder, run.name, record);
}

/** More than any of these numbers means. */
const nineDigits = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(9)) : value;

export async function saveRecord(folder: string, run: string, record: RunRecord): Promise<void> {
  const path = recordFile(folder, run);
  await mkdir(dirname(path), { recursive: true });
  // A line for each of its parts: readable, and small where it is kept under version control.
  const lines = Object.entries(record).map(
    ([key, value]) => `  "${key}": ${JSON.stringify(value, nineDigits)}`,
  );
  await replaceText(path, `{\n${lines.join(',\n')}\n}\n`);
}

const scoreOf = ({ step, epoch, top1Error, top5Error, elapsedSeconds, testLoss }: TestMetrics) => ({
  ...{ step, epoch, top1Error, top5Error, elapsedSeconds, testLoss },
});

/** Points of a record's series. */
const mostPoints = 200;

/** Lines joined until there are few enough: means over longer stretches, to six digits. */
export function thinned(lines: readonly StepMetrics[]): RunRecord['steps'] {
  const size = Math.max(1, Math.ceil(lines.length / mostPoints));
  const groups = Array.from({ length: Math.ceil(lines.length / size) }, (_, index) =>
    lines.slice(index * size, (index + 1) * size).map((line, within) => ({
      line,
      steps: line.step - (lines[index * size + within - 1]?.step ?? 0),
    })),
  );
  const column = (read: (line: StepMetrics) => number) =>
    groups.map((group) => {
      const sum = group.reduce((total, { line, steps }) => total + steps * read(line), 0);
      return Number((sum / group.reduce((total, { steps }) => total + steps, 0)).toPrecision(6));
    });
  return {
    step: groups.map((group) => group.at(-1)?.line.step ?? 0),
    loss: column(({ loss }) => loss),
    zeroShare: column(({ zeroShare }) => zeroShare),
  };
}
