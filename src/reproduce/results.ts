/** What the trainings of an experiment recorded, arm by arm. */
import { type Costs, costsOf } from '../graph/costs.ts';
import type { TrainingScale } from './claim.ts';
import { ExperimentError } from './experiment-folder.ts';
import { graphOfArm } from './match-costs.ts';
import { type PlannedRun, type ResolvedArm, resolveArms } from './plan.ts';
import { type RunRecord, readRecord } from './records.ts';

export interface RunResult {
  readonly run: PlannedRun;
  /** Undefined until it has ended. */
  readonly record: RunRecord | undefined;
}

export interface ArmResult {
  readonly arm: ResolvedArm;
  /** With the data's number of classes. */
  readonly costs: Costs;
  /** By seed. */
  readonly runs: readonly RunResult[];
}

/** @throws ExperimentError where records are of different images */
export async function readResults(
  scale: TrainingScale,
  plan: readonly PlannedRun[],
  folder: string,
): Promise<readonly ArmResult[]> {
  const runs: readonly RunResult[] = await Promise.all(
    plan.map(async (run) => ({ run, record: await readRecord(folder, run.name) })),
  );
  const [first, ...others] = runs.filter(({ record }) => record !== undefined);
  for (const { run, record } of others)
    if (JSON.stringify(record?.data) !== JSON.stringify(first?.record?.data))
      throw new ExperimentError(
        `${folder}: ${first?.run.name} and ${run.name} were trained with different images, and cannot be compared; expected the same data for all, or another --out`,
      );
  const classes = first?.record?.classes ?? 10;
  return resolveArms(scale).map((arm) => ({
    arm,
    costs: costsOf(graphOfArm(arm, { classes })),
    runs: runs.filter(({ run }) => run.arm === arm.name),
  }));
}

export type ErrorKind = 'test' | 'validation';

/** Test images decided nothing; where a data set has none, the last validation error has to do. */
export const errorKindOf = (results: readonly ArmResult[]): ErrorKind =>
  results.some(({ runs }) => runs.some(({ record }) => record?.test !== undefined)) ? 'test' : 'validation';

/** In percent; undefined for a run that has not finished or that died. */
export function finalError({ record }: RunResult, kind: ErrorKind): number | undefined {
  if (record?.ended !== 'finished') return undefined;
  const last = kind === 'test' ? record.test : record.evaluations.at(-1);
  return last && 100 * last.top1Error;
}

/** The step of the first evaluation whose error is at most `percent`; undefined if there is none. */
export const stepOfError = ({ record }: RunResult, percent: number): number | undefined =>
  record?.evaluations.find(({ top1Error }) => 100 * top1Error <= percent)?.step;

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
