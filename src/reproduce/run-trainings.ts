/** Runs the trainings of an experiment, several at a time; finished ones are not repeated, interrupted ones go on. */
import pLimit from 'p-limit';
import type { EngineFacts } from '../engine/engine.ts';
import { commandText } from '../train/configuration/command-arguments.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import { type Ended, runCommand } from './child-command.ts';
import type { TrainingScale } from './claim.ts';
import { ExperimentError, logFile, runFolderOf } from './experiment-folder.ts';
import type { PlannedRun } from './plan.ts';
import { type Outcome, readRecord, writeRecord } from './records.ts';

interface Here {
  readonly scale: TrainingScale;
  readonly folder: string;
  readonly facts: Pick<EngineFacts, 'fastBfloat16'>;
}

/**
 * The runs that make sense on this machine: where everything is computed in float32 anyway, an arm that asks for it would repeat another.
 * Runs that have ended elsewhere stay. What is left out is said.
 */
export async function runnable(
  plan: readonly PlannedRun[],
  { scale, folder, facts }: Here,
): Promise<{ readonly here: readonly PlannedRun[]; readonly idle: readonly string[] }> {
  const repeated = new Set(
    facts.fastBfloat16 ? [] : scale.arms.filter(({ precision }) => precision).map(({ name }) => name),
  );
  const here: PlannedRun[] = [];
  const left = new Set<string>();
  for (const run of plan)
    if (!repeated.has(run.arm) || (await readRecord(folder, run.name))) here.push(run);
    else left.add(run.arm);
  return {
    here,
    idle: [...left].map(
      (arm) => `${arm} was not run: without bfloat16 arithmetic this machine computes all arms in float32`,
    ),
  };
}

interface Running {
  readonly folder: string;
  readonly jobs: number;
  /** Of each training. Default: all cores. */
  readonly threads: number | undefined;
  /** Called when a training has ended, before the next one begins in its place: weights can be measured and then deleted. */
  readonly onEnded: (run: PlannedRun) => Promise<void>;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/**
 * @returns whether all have ended; false after an interruption.
 * @throws ExperimentError with what a training said that failed for a reason that is no result. Others that were running are stopped
 * and have saved a checkpoint.
 */
export async function runTrainings(
  plan: readonly PlannedRun[],
  { signal, ...running }: Running,
): Promise<boolean> {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const limit = pLimit(running.jobs);
  let done = 0;
  const results = await Promise.allSettled(
    plan.map((run) =>
      limit(async () => {
        if (stop.aborted) return;
        const ended = await runOne(run, { ...running, signal: stop }).catch((error: unknown) => {
          failure.abort();
          throw error;
        });
        if (ended) running.say(`${++done} of ${plan.length}: ${run.name} ${ended}`);
      }),
    ),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return !stop.aborted;
}

async function runOne(
  run: PlannedRun,
  { folder, threads, onEnded, signal, say }: Running,
): Promise<string | undefined> {
  const before = await readRecord(folder, run.name);
  if (before) return `had ${before.ended}`;
  const path = runFolderOf(folder, run);
  const begun = await new RunFolder(path).exists();
  const args = [
    ...(begun ? ['train', '--resume', '--out', path] : run.args),
    ...(threads === undefined ? [] : ['--threads', String(threads)]),
  ];
  say(`${begun ? 'continuing' : 'training'} ${run.name}`);
  const ended = await runCommand(args, { log: logFile(folder, run.name), signal });
  const outcome = outcomeOf(ended);
  if (outcome) {
    await writeRecord(folder, run, outcome);
    await onEnded(run);
    return outcome.ended;
  }
  if (signal.aborted) return undefined;
  throw new ExperimentError(
    `${run.name}: '${commandText(args)}' ended with ${ended.code === null ? 'a signal' : `exit status ${ended.code}`}: ${ended.lastLine}; its output is in ${logFile(folder, run.name)}. The same command goes on when that is mended`,
  );
}

/** What a training's end says of the network; undefined where it says nothing. */
export function outcomeOf({ code, lastLine }: Pick<Ended, 'code' | 'lastLine'>): Outcome | undefined {
  if (code === 0) return { ended: 'finished' };
  if (code !== 1) return undefined;
  if (/: the network has died: /.test(lastLine)) return { ended: 'died', message: lastLine };
  if (/: the (loss|gradient's norm) is (NaN|-?Infinity) /.test(lastLine))
    return { ended: 'diverged', message: lastLine };
  return undefined;
}
