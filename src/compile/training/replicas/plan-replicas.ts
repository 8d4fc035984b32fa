/**
 * A step of many replicas: what of it every process computes, and which tensors travel between them.
 *
 * The processes take the replicas in turn: in round j process p has replica j · processes + p. Every tensor that is averaged is
 * a bucket. In each round `accumulate_` adds the values of all processes, in the order of replicas, to the sums; in the last one
 * `share_` gives every process the mean, and what needs it waits for it. With one round the values become the mean where they are.
 */
import { CompileError } from '../../compile-error.ts';
import type { Emitter } from '../../emitter.ts';
import type { Layout } from '../../layout.ts';
import type { TrainingOptions } from '../../options.ts';
import type { Value } from '../../program.ts';
import type { ParameterGradient } from '../lower-backward.ts';
import type { StatisticsTarget } from '../moving-statistics.ts';
import { cutIntoBuckets, inOrderOfCompletion, type Range } from './buckets.ts';

type Replicas = NonNullable<TrainingOptions['replicas']>;

/** A tensor that is averaged over replicas. */
export interface Bucket {
  readonly number: number;
  /** Of one replica; a name in the store. */
  readonly values: string;
  /** Of all of them, and at last their mean. */
  readonly sums: string;
  /** Whether it travels in bfloat16. */
  readonly rounded: boolean;
}

/** A part of the flat gradient. */
export interface GradientBucket extends Bucket {
  readonly range: Range;
}

export interface Buckets {
  /** The statistics of batch normalisation, where they travel. */
  readonly statistics: Bucket | undefined;
  readonly reports: Bucket;
  readonly gradients: readonly GradientBucket[];
}

/** What a step averages over replicas. */
export interface Reduced {
  readonly buckets: Buckets;
  /** Names of what is reported, in order. */
  readonly reports: readonly string[];
}

export interface ReplicaPlan {
  readonly count: number;
  readonly processes: number;
  readonly rounds: number;
  /** Whether every process has a replica in the last round. */
  readonly isEven: boolean;
  /** Whether gradients travel in bfloat16. */
  readonly rounded: boolean;
  readonly synchronised: boolean;
  /** The kind of flat tensor, `flat/KIND`, that holds the mean gradient. */
  readonly meanGradient: 'gradient' | 'sums';
  readonly statistics: StatisticsTarget;
}

/** Undefined for a training of one replica. @throws CompileError naming what does not fit */
export function planReplicas({ replicas }: Pick<TrainingOptions, 'replicas'>): ReplicaPlan | undefined {
  if (!replicas) return undefined;
  checkReplicas(replicas);
  const { count, processes, reduce, batchNorm, average } = replicas;
  if (count === 1) return undefined;
  const rounds = Math.ceil(count / processes);
  const synchronised = batchNorm === 'synchronised';
  const own = rounds === 1 ? 'moving' : 'local';
  return {
    count,
    processes,
    rounds,
    isEven: count % processes === 0,
    rounded: reduce === 'bfloat16',
    synchronised,
    meanGradient: rounds === 1 ? 'gradient' : 'sums',
    // Where batch normalisation is synchronised, the statistics of all processes are equal.
    statistics: average === 'reduce' && !synchronised ? 'bucket' : own,
  };
}

function checkReplicas({ count, processes, batchNorm }: Replicas): void {
  for (const [name, value] of Object.entries({ count, processes })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new CompileError(
      `training option 'replicas.${name}': expected a whole number of at least 1; received ${value}`,
    );
  }
  if (count === 1 && processes > 1)
    throw new CompileError(
      `training option 'replicas.count': one replica is trained by one process; received ${processes} processes`,
    );
  if (batchNorm === 'synchronised' && count !== processes)
    throw new CompileError(
      `training option 'replicas.batchNorm': batch normalisation cannot be synchronised over ${count} replicas in ${processes} processes, because ${count > processes ? 'the replicas of one process run one after another' : 'a process without a replica has no statistics to send'}; use as many processes as replicas, or 'own'`,
    );
}

/** All buckets of a step, numbered in the order in which they begin. @param received the gradients, in order. */
export function planBuckets(
  {
    replicas: { rounds, rounded, meanGradient },
    layout,
    statistics,
  }: { replicas: ReplicaPlan; layout: Layout; statistics: StatisticsTarget },
  received: readonly ParameterGradient[],
): Buckets {
  const offsets = new Map(
    layout.trainable.flatMap(({ members, offset }) => members.map(({ name }) => [name, offset] as const)),
  );
  const order = received.map(({ members: [first] }) => offsets.get(first?.name ?? '') as number);
  const sums = (values: string, name: string) => ({ values, sums: rounds === 1 ? values : name });
  const travels = statistics === 'bucket';
  const first = travels ? 1 : 0;
  return {
    statistics: travels
      ? { ...sums('flat/batchStatistics', 'flat/statisticsSums'), number: 0, rounded: false }
      : undefined,
    reports: { ...sums('flat/reports', 'flat/reportSums'), number: first, rounded: false },
    gradients: inOrderOfCompletion(cutIntoBuckets(layout), order).map((range, index) => {
      const number = first + 1 + index;
      return {
        ...{ number, range, rounded },
        ...{
          values: `${bucketName({ number })}/gradient`,
          sums: `${bucketName({ number })}/${meanGradient}`,
        },
      };
    }),
  };
}

export const allBuckets = ({ statistics, reports, gradients }: Buckets): readonly Bucket[] => [
  ...(statistics ? [statistics] : []),
  reports,
  ...gradients,
];

/** Its views are `NAME/gradient`, `NAME/weights`, … */
export const bucketName = ({ number }: Pick<Bucket, 'number'>): string => `bucket/${number}`;

/** What the layers of a bucket's steps are called. */
const layerOf = ({ number }: Bucket): string => `bucket ${number}`;

/** Begins to add a bucket's values and, in the last round, to give everyone the mean. */
export function beginBucket(
  emitter: Emitter,
  bucket: Bucket,
  { count, last }: { count: number; last: boolean },
): void {
  const { number, values, sums, rounded } = bucket;
  emitter.layer = layerOf(bucket);
  const target = emitter.load(sums);
  emitter.call('inception::accumulate_', [target, emitter.load(values), number, rounded]);
  if (last) emitter.call('inception::share_', [target, number, count, rounded]);
}

/** Waits for a bucket. Returns its sums: after the last round the mean. */
export function waitForBucket(emitter: Emitter, bucket: Bucket): Value {
  emitter.layer = layerOf(bucket);
  const target = emitter.load(bucket.sums);
  emitter.call('inception::wait_', [target, emitter.load(bucket.values), bucket.number]);
  return target;
}

/** Sums begin with zero in the next step; where the values themselves become the mean, nothing is left. */
export function clearSums(emitter: Emitter, { values, sums }: Bucket): void {
  if (sums !== values) emitter.call('aten::zero_', [emitter.load(sums)]);
}
