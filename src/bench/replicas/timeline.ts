/** When in a step of several replicas each bucket is whole, and when its mean is needed: what a plan needs of the computing. */
import type { Program, Step, StoreSpec } from '../../compile/program.ts';
import { macsOf } from '../../graph/costs.ts';
import { elementCount, type Graph } from '../../graph/graph.ts';

/** Times are milliseconds of computing since the step began, without any waiting. */
export interface BucketMoment {
  readonly bucket: number;
  /** Its tensor: `flat/batchStatistics`, `flat/reports`, `bucket/2/gradient`. */
  readonly values: string;
  /** Of its values as they travel. */
  readonly bytes: number;
  readonly wholeMs: number;
  readonly neededMs: number;
}

export interface Timeline {
  /** The whole step, without waiting. */
  readonly computeMs: number;
  /** In the order in which they begin to travel. */
  readonly buckets: readonly BucketMoment[];
}

interface Compiled {
  readonly program: Program;
  readonly store: StoreSpec;
}

const isCallOf = (step: Step, name: string) => step.do === 'call' && step.operator === `inception::${name}`;

/** @param microseconds of each step of the program; what it waited for other processes does not count. */
export function timelineOf({ program, store }: Compiled, microseconds: readonly number[]): Timeline {
  const lengths = new Map(
    [...store.tensors, ...store.views].map(({ name, shape }) => [name, elementCount(shape)]),
  );
  const loaded = new Map<number, string>();
  const whole = new Map<number, Omit<BucketMoment, 'neededMs'>>();
  const needed = new Map<number, number>();
  let now = 0;
  program.steps.forEach((step, index) => {
    if (step.do === 'load') loaded.set(step.to, step.name);
    if (step.do === 'call' && isCallOf(step, 'accumulate_')) {
      const [, values, bucket, rounded] = step.args as [unknown, { slot: number }, number, boolean];
      const name = loaded.get(values.slot) ?? '';
      const bytes = (lengths.get(name) ?? 0) * (rounded ? 2 : 4);
      whole.set(bucket, { bucket, values: name, bytes, wholeMs: now });
    }
    if (step.do === 'call' && isCallOf(step, 'wait_')) needed.set(step.args[2] as number, now);
    else now += (microseconds[index] ?? 0) / 1000;
  });
  return {
    computeMs: now,
    buckets: [...whole.values()].map((each) => ({ ...each, neededMs: needed.get(each.bucket) ?? now })),
  };
}

/**
 * For a machine on which nothing was measured: each step's share of a given time by its multiply-adds, a backward pass as two forward
 * passes. Everything that is no convolution and no dense layer takes no time of its own.
 */
export function timesByMacs(graph: Graph, program: Program, totalMs: number): readonly number[] {
  const macs = new Map<string, number>();
  for (const node of graph.nodes) macs.set(node.path, (macs.get(node.path) ?? 0) + macsOf(node));
  const ofLayer = (layer: string) =>
    layer
      .replace(/ backward$/, '')
      .split('+')
      .reduce((sum, path) => sum + (macs.get(path) ?? 0), 0);
  const costs = program.steps.map((step) => {
    if (step.do !== 'call') return 0;
    const [, name = ''] = /::(?:_?)(\w+)/.exec(step.operator) ?? [];
    if (name === 'convolution_backward') return 2 * ofLayer(step.layer);
    return name === 'convolution' || name === 'addmm' || name === 'mm' ? ofLayer(step.layer) : 0;
  });
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  return costs.map((cost) => (cost / total) * totalMs * 1000);
}

/** The same step on a machine that takes another time for it. */
export function scaled({ computeMs, buckets }: Timeline, toMs: number): Timeline {
  const factor = toMs / computeMs;
  return {
    computeMs: toMs,
    buckets: buckets.map((each) => ({
      ...each,
      wholeMs: each.wholeMs * factor,
      neededMs: each.neededMs * factor,
    })),
  };
}
