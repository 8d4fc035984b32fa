/** Runs a claim as an experiment in a folder, and writes its report. Called again, it goes on where it was. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { findSource } from '../data/sources/find-source.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import type { Claim, MemoryClaim, ScaleName, TrainingClaim } from './claim.ts';
import { measureOnce, openExperiment } from './experiment-folder.ts';
import { scoreCrops } from './measures/crops.ts';
import { residualNorms } from './measures/residual-norms.ts';
import { measureSteps } from './measures/step-memory.ts';
import { dataOf, planRuns, runFolderOf } from './plan.ts';
import type { Block } from './report/blocks.ts';
import { memoryBlocks } from './report/memory-report.ts';
import { type TrainingResults, trainingBlocks } from './report/training-report.ts';
import { reportOf, writeReport } from './report/write-report.ts';
import { type ArmResult, readResults } from './results.ts';
import { runTrainings } from './run-trainings.ts';

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
  const { scale, seeds = claim.scales[scale].seeds, command } = options;
  const data = claim.kind === 'training' ? dataOf(claim, options) : undefined;
  const { threads, jobs = 1 } = options;
  const perJob = threads ?? (jobs > 1 ? Math.max(1, Math.floor(availableParallelism() / jobs)) : undefined);
  const folder = resolve(options.out);
  await openExperiment(folder, {
    format: 1,
    ...{ claim: claim.id, scale, seeds },
    ...(data !== undefined && { data }),
  });
  const asked = { ...options, folder, seeds, data, jobs, threads: perJob };
  const { blocks, complete } =
    claim.kind === 'memory'
      ? await reproduceMemory(claim, asked)
      : await reproduceTrainings(claim, { ...asked, data: data as string });
  const engine = openTorch({ device: 'auto' });
  const { facts } = engine;
  await engine.close();
  const report = reportOf(claim, { scale, seeds, command, facts, data }, blocks);
  return { complete, files: await writeReport(folder, report) };
}

interface Asked extends ReproduceOptions {
  readonly folder: string;
  readonly seeds: number;
  readonly jobs: number;
}

interface Outcome {
  readonly blocks: readonly Block[];
  readonly complete: boolean;
}

async function reproduceMemory(claim: MemoryClaim, asked: Asked): Promise<Outcome> {
  const scale = claim.scales[asked.scale];
  const measured = await measureSteps(scale, asked);
  return { blocks: memoryBlocks(claim, scale, measured), complete: !asked.signal.aborted };
}

async function reproduceTrainings(
  claim: TrainingClaim,
  asked: Asked & { readonly data: string },
): Promise<Outcome> {
  const scale = claim.scales[asked.scale];
  const { splits } = await findSource(asked.data);
  const plan = planRuns(claim, { ...asked, hasTest: splits.includes('test') }, asked.folder);
  const trained = await runTrainings(plan, asked);
  const arms = await readResults(scale, plan, asked.folder);
  const finished = arms.flatMap(({ runs }) =>
    runs.filter(({ outcome }) => outcome?.ended === 'finished').map(({ run }) => run),
  );
  const crops =
    claim.crops && trained
      ? await scoreCrops(finished, { ...asked, ...claim.crops, limit: scale.limitTest })
      : [];
  const norms = claim.measures.includes('residualNorms') && trained ? await measureNorms(arms, asked) : [];
  return {
    blocks: trainingBlocks(claim, scale, { arms, plan, crops, norms }),
    complete: trained && !asked.signal.aborted,
  };
}

const normsSchema = z.array(z.strictObject({ block: z.string(), ratio: z.number() }));

async function measureNorms(
  arms: readonly ArmResult[],
  { folder, data, signal, say }: Asked & { readonly data: string },
): Promise<TrainingResults['norms']> {
  const norms: { arm: string; seed: number; blocks: z.infer<typeof normsSchema> }[] = [];
  let engine: Engine | undefined;
  try {
    for (const { runs } of arms)
      for (const { run, outcome } of runs) {
        if (outcome?.ended !== 'finished' || signal.aborted) continue;
        const measure = async () => {
          say(`measuring the residuals of ${run.name}`);
          engine ??= openTorch({ device: 'cpu' });
          return [...(await residualNorms(runFolderOf(folder, run), { data, engine }))];
        };
        const blocks = await measureOnce(folder, `${run.name}-residuals`, { schema: normsSchema, measure });
        norms.push({ arm: run.arm, seed: run.seed, blocks });
      }
  } finally {
    await engine?.close();
  }
  return norms;
}
