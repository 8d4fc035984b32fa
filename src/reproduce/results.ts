/** What the runs of an experiment recorded, arm by arm. */
import { buildGraph } from '../graph/build-graph.ts';
import { type Costs, costsOf } from '../graph/costs.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import type { EvaluationMetrics, StepMetrics, TestMetrics } from '../train/run/records.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import type { TrainingScale } from './claim.ts';
import { type Outcome, readOutcome } from './experiment-folder.ts';
import { type PlannedRun, type ResolvedArm, resolveArms, runFolderOf } from './plan.ts';

export interface RunResult {
  readonly run: PlannedRun;
  readonly outcome: Outcome | undefined;
  readonly steps: readonly StepMetrics[];
  readonly evaluations: readonly EvaluationMetrics[];
  readonly test: TestMetrics | undefined;
}

export interface ArmResult {
  readonly arm: ResolvedArm;
  /** With the data's number of classes. */
  readonly costs: Costs;
  /** By seed. */
  readonly runs: readonly RunResult[];
}

export async function readResults(
  scale: TrainingScale,
  plan: readonly PlannedRun[],
  folder: string,
): Promise<readonly ArmResult[]> {
  const runs = await Promise.all(plan.map((run) => readRun(run, folder)));
  const classes = await classesOf(plan, folder);
  return resolveArms(scale).map((arm) => ({
    arm,
    costs: costsOf(buildGraph(configure(findNetwork(arm.network), { ...arm.options, classes }))),
    runs: runs.filter(({ run }) => run.arm === arm.name),
  }));
}

/** Of the first run that has begun: all have the same data. */
async function classesOf(plan: readonly PlannedRun[], folder: string): Promise<number> {
  for (const run of plan) {
    const configuration = await new RunFolder(runFolderOf(folder, run))
      .configuration()
      .catch(() => undefined);
    if (configuration) return configuration.classes.length;
  }
  return 10;
}

async function readRun(run: PlannedRun, folder: string): Promise<RunResult> {
  const metrics = await new RunFolder(runFolderOf(folder, run)).metrics();
  return {
    run,
    outcome: await readOutcome(folder, run.name),
    steps: metrics.filter((line) => line.kind === 'train'),
    evaluations: metrics.filter((line) => line.kind === 'evaluation'),
    test: metrics.findLast((line) => line.kind === 'test'),
  };
}

export type ErrorKind = 'test' | 'validation';

/** Test images decided nothing; where a data set has none, the last validation error has to do. */
export const errorKindOf = (results: readonly ArmResult[]): ErrorKind =>
  results.some(({ runs }) => runs.some(({ test }) => test !== undefined)) ? 'test' : 'validation';

/** In percent; undefined for a run that has not finished or that died. */
export function finalError({ outcome, test, evaluations }: RunResult, kind: ErrorKind): number | undefined {
  if (outcome?.ended !== 'finished') return undefined;
  const last = kind === 'test' ? test : evaluations.at(-1);
  return last && 100 * last.top1Error;
}

/** The epoch of the first evaluation whose error is at most `percent`; undefined if there is none. */
export const epochOfError = ({ evaluations }: RunResult, percent: number): EvaluationMetrics | undefined =>
  evaluations.find(({ top1Error }) => 100 * top1Error <= percent);

/** Values of two arms at the seeds where both have one. */
export function pairBySeed(
  arm: readonly RunResult[],
  against: readonly RunResult[],
  read: (run: RunResult) => number | undefined,
): readonly { readonly seed: number; readonly arm: number; readonly against: number }[] {
  return arm.flatMap((run) => {
    const other = against.find((each) => each.run.seed === run.run.seed);
    const [ours, theirs] = [read(run), other && read(other)];
    return ours === undefined || theirs === undefined
      ? []
      : [{ seed: run.run.seed, arm: ours, against: theirs }];
  });
}
