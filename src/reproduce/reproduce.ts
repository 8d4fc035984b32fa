/** Runs a claim as an experiment in a folder, and writes its report. Called again, it goes on where it was. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import pLimit from 'p-limit';
import { findSource } from '../data/sources/find-source.ts';
import type { EngineFacts } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import type { Claim, MemoryClaim, ScaleName, TrainingClaim } from './claim.ts';
import { nameOfData, openExperiment, writeFigures } from './experiment-folder.ts';
import { readCrops, scoreCrops, unmeasuredSeeds } from './measures/crops.ts';
import { measureSteps } from './measures/step-memory.ts';
import { dataOf, planRuns, scaleFor } from './plan.ts';
import { memoryBlocks } from './report/memory-report.ts';
import { trainingBlocks } from './report/training-report.ts';
import { type Findings, reportOf, writeReport } from './report/write-report.ts';
import { readResults } from './results.ts';
import { runnable, runTrainings } from './run-trainings.ts';

export interface ReproduceOptions {
  readonly out: string;
  readonly scale: ScaleName;
  /** Default: the scale's. */
  readonly seeds?: number | undefined;
  /** Default: the claim's. */
  readonly data?: string | undefined;
  /** Trainings at a time. Default 1. */
  readonly jobs?: number | undefined;
  /** Of each training. Default: all cores, divided among the jobs. */
  readonly threads?: number | undefined;
  /** As it was given, for the report. */
  readonly command: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Reproduced {
  /** False after an interruption: the report is of what there is. */
  readonly complete: boolean;
  readonly files: readonly string[];
}

/** @throws UsageError, ExperimentError; of the data, the engine or the runs */
export async function reproduce(claim: Claim, options: ReproduceOptions): Promise<Reproduced> {
  const { scale, out, command } = options;
  const data = claim.kind === 'training' ? dataOf(claim, options) : undefined;
  const seeds =
    options.seeds ?? (claim.kind === 'training' ? scaleFor(claim, options) : claim.scales[scale]).seeds;
  const { threads, jobs = 1 } = options;
  const perJob = threads ?? (jobs > 1 ? Math.max(1, Math.floor(availableParallelism() / jobs)) : undefined);
  const engine = openTorch({ device: 'auto' });
  const { facts } = engine;
  await engine.close();
  const { splits = [] } = await openExperiment(resolve(out), {
    format: 1,
    ...{ claim: claim.id, scale, seeds },
    ...(data !== undefined && {
      data: nameOfData(data),
      splitsOf: async () => (await findSource(data)).splits,
    }),
  });
  const asked = { ...options, folder: out, seeds, data, splits, jobs, threads: perJob, facts };
  const findings =
    claim.kind === 'memory'
      ? await reproduceMemory(claim, asked)
      : await reproduceTrainings(claim, { ...asked, data: data as string });
  const report = reportOf(claim, { scale, seeds, command, data }, findings);
  return { complete: findings.complete, files: await writeReport(resolve(out), report) };
}

interface Asked extends ReproduceOptions {
  readonly folder: string;
  readonly seeds: number;
  readonly splits: readonly string[];
  readonly jobs: number;
  readonly threads: number | undefined;
  readonly facts: EngineFacts;
}

type Outcome = Findings & { readonly complete: boolean };

async function reproduceMemory(claim: MemoryClaim, asked: Asked): Promise<Outcome> {
  const scale = claim.scales[asked.scale];
  const measured = await measureSteps(scale, asked);
  return {
    blocks: memoryBlocks(claim, scale, measured),
    machines: measured.map(({ machine }) => machine),
    complete: !asked.signal.aborted,
  };
}

async function reproduceTrainings(
  claim: TrainingClaim,
  asked: Asked & { readonly data: string },
): Promise<Outcome> {
  const { folder, splits, facts, say } = asked;
  const scale = scaleFor(claim, asked);
  const plan = planRuns(claim, { ...asked, hasTest: splits.includes('test') }, folder);
  const { here, idle } = await runnable(plan, { scale, folder, facts });
  for (const line of idle) say(line);
  await writeFigures(
    folder,
    scale.arms.flatMap(({ figure }) => figure ?? []),
  );
  const { crops } = claim;
  // Two trainings that end at the same time measure one after the other.
  const oneByOne = pLimit(1);
  const measureSeed = (seed: number) =>
    oneByOne(async () => {
      if (!crops) return;
      const arms = await readResults(scale, plan, folder);
      const finished = arms.flatMap(({ runs }) =>
        runs.flatMap(({ run, record }) => (run.seed === seed && record?.ended === 'finished' ? [run] : [])),
      );
      await scoreCrops(seed, finished, { ...asked, ...crops, limit: scale.limitTest });
    });
  const trained = await runTrainings(here, { ...asked, onEnded: ({ seed }) => measureSeed(seed) });
  const seeds = [...new Set(plan.map(({ seed }) => seed))];
  // What an interruption left out, where the weights are still there.
  if (trained) for (const seed of seeds) await measureSeed(seed);
  const arms = await readResults(scale, here, folder);
  const measured = crops ? await readCrops(folder, { ...crops, seeds }) : [];
  const unmeasured = crops ? unmeasuredSeeds(arms, { ...crops, scores: measured }) : [];
  const lost = unmeasured.map(
    (seed) =>
      `the crops of seed ${seed} were not all evaluated, and the weights in ${folder}/runs are no longer there`,
  );
  if (trained) for (const line of lost) say(line);
  return {
    blocks: trainingBlocks(claim, scale, {
      ...{ arms, plan: here, crops: measured },
      idle: [...idle, ...(trained ? lost : [])],
    }),
    machines: arms.flatMap(({ runs }) => runs.flatMap(({ record }) => record?.machine ?? [])),
    complete: trained && !asked.signal.aborted,
  };
}
