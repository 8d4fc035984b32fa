/** What the store of a training of many replicas holds besides. */
import { type FlatTensor, flatTensor, type Layout, part } from '../../layout.ts';
import { groupsWithin, type RateGroup } from '../../optimizers/learning-rates.ts';
import { bucketName, type Reduced, type ReplicaPlan } from './plan-replicas.ts';

export interface ReplicaTensors extends Reduced {
  readonly plan: ReplicaPlan;
}

/** Sums of gradients, reports and the batches' statistics. */
export function replicaTensors(layout: Layout, { plan, buckets, reports }: ReplicaTensors): FlatTensor[] {
  const { statistics } = layout;
  const flatOf = (name: string, length: number): FlatTensor => ({
    tensors: [{ name: `flat/${name}`, dtype: 'float32', shape: [length] }],
    views: [],
  });
  const reportsOf = (kind: string): FlatTensor => ({
    ...flatOf(kind, reports.length),
    views: reports.map((name, index) => ({
      ...part(`${kind}/${name}`, `flat/${kind}`, [index, index + 1]),
      ...{ shape: [], strides: [] },
    })),
  });
  const several = plan.rounds > 1;
  const length = layout.statisticsLength;
  const apart = length > 0 && (buckets.statistics !== undefined || plan.statistics === 'local');
  const batchStatistics = {
    kind: 'batchStatistics',
    prefix: 'batchStatistics/',
    dtype: 'float32',
    length,
  } as const;
  return [
    ...(several ? [flatOf('sums', layout.trainableLength)] : []),
    ...(apart ? [flatTensor(statistics, batchStatistics)] : []),
    ...(apart && several ? [flatOf('statisticsSums', length)] : []),
    reportsOf('reports'),
    ...(several ? [reportsOf('reportSums')] : []),
  ];
}

/** The buckets, and what of each learns at one rate. */
export const bucketRanges = (
  { buckets }: ReplicaTensors,
  groups: readonly RateGroup[],
): Pick<RateGroup, 'name' | 'range'>[] =>
  buckets.gradients.flatMap((bucket) => {
    const whole = { name: bucketName(bucket), range: bucket.range };
    return [whole, ...groupsWithin(groups, whole)];
  });
