/**
 * Errors of single networks and of their ensemble by the number of crops: each evaluation is a command of its own, made once, as soon as
 * the members of a seed have been trained.
 */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { commandText } from '../../train/configuration/command-arguments.ts';
import { runCommand } from '../child-command.ts';
import { ExperimentError, logFile, measureOnce, readMeasurement, runFolderOf } from '../experiment-folder.ts';
import type { PlannedRun } from '../plan.ts';
import type { ArmResult } from '../results.ts';

const measured = z.strictObject({
  command: z.string(),
  top1Error: z.number(),
  top5Error: z.number().nullable(),
  count: z.number(),
});
const answered = z.object({ top1Error: z.number(), top5Error: z.number().nullable(), count: z.number() });

export interface CropsScore extends z.infer<typeof measured> {
  /** An arm, or `ensemble`. */
  readonly member: string;
  readonly seed: number;
  readonly crops: number;
}

export const ensembleName = 'ensemble';

export interface Compared {
  readonly counts: readonly number[];
  /** Arms of the ensemble. */
  readonly ensemble: readonly string[];
}

interface Scored {
  readonly member: string;
  readonly seed: number;
  readonly crops: number;
  /** Of the file. */
  readonly name: string;
  /** The arms that are averaged. */
  readonly arms: readonly string[];
}

const scoresOf = (seed: number, { counts, ensemble }: Compared): readonly Scored[] =>
  [
    ...ensemble.map((member) => ({ member, arms: [member] })),
    { member: ensembleName, arms: ensemble },
  ].flatMap((each) =>
    counts.map((crops) => ({ ...each, seed, crops, name: `${each.member}-seed${seed}-crops${crops}` })),
  );

/** What has been measured. */
export async function readCrops(
  folder: string,
  { seeds, ...compared }: Compared & { readonly seeds: readonly number[] },
): Promise<readonly CropsScore[]> {
  const scores = await Promise.all(
    seeds.flatMap((seed) =>
      scoresOf(seed, compared).map(async ({ member, crops, name }) => {
        const value = await readMeasurement(folder, name, measured);
        return value && { member, seed, crops, ...value };
      }),
    ),
  );
  return scores.filter((score) => score !== undefined);
}

/** Seeds of which all members have finished, and of which a score is missing. */
export function unmeasuredSeeds(
  arms: readonly ArmResult[],
  { scores, ...compared }: Compared & { readonly scores: readonly CropsScore[] },
): readonly number[] {
  const members = compared.ensemble.map((name) => arms.find(({ arm }) => arm.name === name)?.runs ?? []);
  const seeds = new Set(members.flat().map(({ run }) => run.seed));
  const isFinished = (seed: number) =>
    members.every((runs) =>
      runs.some(({ run, record }) => run.seed === seed && record?.ended === 'finished'),
    );
  return [...seeds].filter(
    (seed) =>
      isFinished(seed) &&
      scores.filter((score) => score.seed === seed).length < scoresOf(seed, compared).length,
  );
}

interface Evaluating extends Compared {
  readonly folder: string;
  readonly data: string;
  readonly limit: number | undefined;
  readonly threads: number | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Measures a seed, if all members of its ensemble have models. @param runs of this seed that have finished */
export async function scoreCrops(
  seed: number,
  runs: readonly PlannedRun[],
  { folder, data, limit, threads, signal, say, ...compared }: Evaluating,
): Promise<void> {
  const models = new Map<string, string>();
  for (const run of runs) {
    const path = runFolderOf(folder, run);
    if (await stat(path).catch(() => undefined)) models.set(run.arm, path);
  }
  if (compared.ensemble.some((arm) => !models.has(arm))) return;
  for (const { arms, crops, name } of scoresOf(seed, compared)) {
    if (signal.aborted) return;
    const paths = arms.map((arm) => models.get(arm) as string);
    const args = [
      ...['evaluate', ...paths, '--data', data, '--crops', String(crops), '--json'],
      ...(limit === undefined ? [] : ['--limit', String(limit)]),
    ];
    const measure = async () => {
      say(`evaluating ${name}`);
      const { code, stdout, lastLine } = await runCommand(
        [...args, ...(threads === undefined ? [] : ['--threads', String(threads)])],
        { log: logFile(folder, name), signal },
      );
      if (signal.aborted) return undefined;
      if (code !== 0)
        throw new ExperimentError(
          `${name}: '${commandText(args)}' ended with ${code ?? 'a signal'}: ${lastLine}`,
        );
      return { command: commandText(args), ...answered.parse(JSON.parse(stdout)) };
    };
    await measureOnce(folder, name, { schema: measured, measure });
  }
}
