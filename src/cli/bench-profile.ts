/** `inception bench profile`: the step of one process, or of several of this machine. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { Work, WorkOptions } from '../bench/job.ts';
import { UsageError } from '../errors.ts';
import { recipeNumbers } from '../train/recipe/recipe-options.ts';
import { addDeclared, readDeclared } from './options/declared-options.ts';
import { wholeNumber } from './usage.ts';

interface Values extends Record<string, unknown> {
  readonly rounds: number;
  readonly layers: number;
  readonly processes?: number;
  readonly output?: string;
  readonly json?: boolean;
}

const { reduce } = recipeNumbers;

export const addShared = (command: Command): Command =>
  addDeclared(
    command.option(
      '--processes <n>',
      'train: run the step in n processes of this machine, and show what of their communication is hidden',
      wholeNumber('--processes'),
    ),
    { reduce },
  );

/** The options with each process's part of the cores. @throws UsageError where there is nothing to share */
export function dividedCores<T extends { readonly threads?: number | undefined }>(
  values: T & { readonly processes?: number; readonly reduce?: unknown },
  step: Work,
): T {
  const { processes = 1 } = values;
  if (processes > 1 && step === 'infer')
    throw new UsageError('--processes: has no effect on inference; expected --for train as well, or none');
  if (processes === 1 && readDeclared({ reduce }, { ...values }).reduce !== undefined)
    throw new UsageError('--reduce: has no effect on one process; expected --processes 2 or more as well');
  const threads = Math.max(1, Math.floor(availableParallelism() / processes));
  return processes > 1 ? { ...values, threads: values.threads ?? threads } : values;
}

export async function profileStep(work: WorkOptions, values: Values): Promise<string> {
  const { rounds, layers, processes = 1, json, output } = values;
  const { chromeTrace, perLayer, perOperator, profileWork } = await import('../bench/profile.ts');
  const { formatProfile, formatReplicas } = await import('../bench/report.ts');
  const { profileReplicas } = await import('../bench/replicas/profile-replicas.ts');
  const travels = readDeclared({ reduce }, values).reduce ?? 'float32';
  const shared =
    processes > 1 ? await profileReplicas(work, { processes, rounds, reduce: travels }) : undefined;
  const found = shared ?? (await profileWork(work, { rounds }));
  if (output !== undefined) writeFileSync(output, chromeTrace(found));
  if (json) {
    const { program, microseconds, ...rest } = found;
    const rows = { operators: perOperator(found), layers: perLayer(found) };
    return `${JSON.stringify({ work, ...rest, ...rows }, null, 2)}\n`;
  }
  return shared ? formatReplicas(shared, { layers }) : formatProfile(found, { layers });
}
