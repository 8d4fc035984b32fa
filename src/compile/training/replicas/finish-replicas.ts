/**
 * The end of a round of many replicas: buckets begin (a pass moves that up to where their values are written), and after the last round
 * everything that needs a mean waits for its bucket.
 */
import { Emitter } from '../../emitter.ts';
import { groupsWithin } from '../../optimizers/learning-rates.ts';
import { flat, gradientNorm, Update } from '../../optimizers/update.ts';
import { followBatches, followMean } from '../moving-statistics.ts';
import type { TrainingPlan } from '../plan-training.ts';
import {
  allBuckets,
  beginBucket,
  bucketName,
  clearSums,
  type Reduced,
  type ReplicaPlan,
  waitForBucket,
} from './plan-replicas.ts';

interface RoundToFinish extends Reduced {
  readonly emitter: Emitter;
  readonly update: Update;
  readonly last: boolean;
  /** Replicas of this process whose statistics were added up. */
  readonly own?: number;
}

export function finishReplicas(plan: TrainingPlan, round: RoundToFinish): void {
  const { emitter, buckets, last } = round;
  const { count } = plan.replicas as ReplicaPlan;
  for (const bucket of allBuckets(buckets)) beginBucket(emitter, bucket, { count, last });
  if (!last) {
    for (const bucket of allBuckets(buckets)) waitForBucket(emitter, bucket);
    return;
  }
  finishStatistics(plan, round);
  finishReports(round);
  finishGradients(plan, round);
}

function finishStatistics(
  { statistics, replicas, options: { batchNormMomentum: momentum } }: TrainingPlan,
  { emitter, buckets, own = (replicas as ReplicaPlan).rounds }: RoundToFinish,
): void {
  if (buckets.statistics) {
    followMean(emitter, { mean: waitForBucket(emitter, buckets.statistics), momentum });
    clearSums(emitter, buckets.statistics);
  } else if (statistics === 'local') {
    emitter.layer = 'moving statistics';
    const sums = emitter.load('flat/statisticsSums');
    emitter.call('aten::mul_.Scalar', [sums, 1 / own]);
    followMean(emitter, { mean: sums, momentum });
    emitter.call('aten::zero_', [sums]);
  }
}

function finishReports({ emitter, buckets: { reports: bucket }, reports }: RoundToFinish): void {
  waitForBucket(emitter, bucket);
  const views = bucket.sums === bucket.values ? 'reports' : 'reportSums';
  // The store's tensor changes in the next step, and an output must not.
  for (const name of reports)
    emitter.output(name, emitter.call('aten::clone', [emitter.load(`${views}/${name}`)]));
  clearSums(emitter, bucket);
}

function finishGradients(
  { replicas, rates, perBucket, updates }: TrainingPlan,
  { emitter, update, buckets: { gradients } }: RoundToFinish,
): void {
  const { meanGradient } = replicas as ReplicaPlan;
  if (perBucket) {
    for (const bucket of gradients) {
      waitForBucket(emitter, bucket);
      update.applyGroups(groupsWithin(rates.groups, { name: bucketName(bucket), range: bucket.range }));
      clearSums(emitter, bucket);
    }
    emitter.layer = 'optimizer';
    emitter.output('gradientNorm', update.norm());
    return;
  }
  for (const bucket of gradients) waitForBucket(emitter, bucket);
  emitter.layer = 'gradient norm';
  const norm = gradientNorm(emitter, meanGradient);
  emitter.output('gradientNorm', norm);
  if (updates) update.applyAll(norm);
  if (meanGradient === 'gradient') return;
  const sums = emitter.load(flat(meanGradient));
  // Without an update the mean is the result.
  if (!updates) emitter.call('aten::copy_', [emitter.load(flat('gradient')), sums]);
  emitter.call('aten::zero_', [sums]);
}

/** The last round of a process that has no replica left: zeros take part in everything, in the same order. */
export function lowerIdle(plan: TrainingPlan, { buckets, reports }: Reduced): Emitter {
  const { replicas, options, batchStatistics } = plan;
  const { meanGradient, rounds } = replicas as ReplicaPlan;
  const emitter = new Emitter();
  const update = new Update(emitter, options, { ...plan.rates, gradient: meanGradient });
  if (plan.updates) update.begin();
  // The input is there in any case.
  if (batchStatistics && plan.statistics === 'moving')
    followBatches(emitter, { momentum: options.batchNormMomentum, any: false, into: 'moving' });
  emitter.layer = 'no replica';
  const zeroed = [buckets.statistics?.values, buckets.reports.values, flat('gradient')];
  for (const name of zeroed) if (name) emitter.call('aten::zero_', [emitter.load(name)]);
  finishReplicas(plan, { emitter, update, buckets, reports, last: true, own: rounds - 1 });
  return emitter;
}
