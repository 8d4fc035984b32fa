/** The model of a step against sums by hand, and timelines of compiled programs. */
import { describe, expect, it } from 'vitest';
import { compileTraining } from '../../compile/training/compile-training.ts';
import { describeJob, type WorkOptions } from '../job.ts';
import { graphOfWork, trainingOptions } from '../our-step.ts';
import { type Cluster, planStep, travel } from './step-model.ts';
import { scaled, type Timeline, timelineOf, timesByMacs } from './timeline.ts';

const link = { bytesPerSecond: 1e9, latencyMs: 0 };
const cluster = (more: Partial<Cluster> = {}): Cluster => ({
  ...{ processes: 2, perNode: 1, inside: link, between: link, algorithm: 'owners', messageMs: 0 },
  ...more,
});

/** Buckets of 10 MB are whole at 40 and 60 ms; the backward pass ends at 70 ms, and each update takes 5 ms. */
const timeline: Timeline = {
  computeMs: 80,
  buckets: [
    { bucket: 0, values: 'a', bytes: 10e6, wholeMs: 40, neededMs: 70 },
    { bucket: 1, values: 'b', bytes: 10e6, wholeMs: 60, neededMs: 75 },
  ],
};

describe('the time that a bucket travels', () => {
  it('is that of twice its bytes but for the own part, whatever the way', () => {
    for (const processes of [2, 4, 16])
      for (const algorithm of ['owners', 'ring'] as const)
        expect(travel(10e6, cluster({ processes, algorithm })).linkMs).toBeCloseTo(
          (20 * (processes - 1)) / processes,
        );
  });

  it('grows by the processes that share a link, where each of them sends its own values', () => {
    const shared = { processes: 16, perNode: 8, inside: { ...link, bytesPerSecond: 1e12 } };
    // From each of the eight of a node to the other eight.
    expect(travel(10e6, cluster(shared)).linkMs).toBeCloseTo(80);
    expect(travel(10e6, cluster({ ...shared, algorithm: 'ring' })).linkMs).toBeCloseTo(20 * (15 / 16));
  });

  it('counts messages: two for each other process, or two hops', () => {
    const slow = { ...link, latencyMs: 0.1 };
    const far = { processes: 5, between: slow, messageMs: 0.01 };
    expect(travel(0, cluster(far))).toEqual({ linkMs: 8 * 0.01, delayMs: 0.2 });
    expect(travel(0, cluster({ ...far, algorithm: 'ring' })).delayMs).toBeCloseTo(8 * 0.1);
  });

  it('is nothing for one process, and that of the inner link in one node', () => {
    expect(travel(10e6, cluster({ processes: 1 }))).toEqual({ linkMs: 0, delayMs: 0 });
    const node = cluster({ processes: 8, perNode: 8, between: { bytesPerSecond: 1, latencyMs: 9 } });
    expect(travel(8e6, node)).toEqual({ linkMs: 14, delayMs: 0 });
  });
});

describe('the plan of a step', () => {
  it('exposes nothing where each bucket comes before it is needed', () => {
    const plan = planStep(timeline, cluster());
    expect(plan).toMatchObject({ stepMs: 80, exposedMs: 0, communicationMs: 20, efficiency: 1 });
    expect(plan.buckets.map(({ beginMs, endMs }) => [beginMs, endMs])).toEqual([
      [40, 50],
      [60, 70],
    ]);
  });

  it('lets the computing wait for each bucket that comes late, and a bucket for the link', () => {
    // 40 ms for each: 40 to 80, and 80 to 120.
    const plan = planStep(timeline, cluster({ between: { ...link, bytesPerSecond: 0.25e9 } }));
    expect(plan.buckets.map(({ endMs, exposedMs }) => [endMs, exposedMs])).toEqual([
      [80, 10],
      [120, 35],
    ]);
    expect(plan.stepMs).toBe(125);
    expect(plan.efficiency).toBeCloseTo(80 / 125);
  });

  it('takes from the computing what the processor does for the communication', () => {
    const plan = planStep(timeline, cluster({ processorMsPerByte: 0.5e-6 }));
    // Each bucket takes 5 ms of it.
    expect(plan).toMatchObject({ stepMs: 90, exposedMs: 0 });
  });

  it('is the step alone for one process', () => {
    expect(planStep(timeline, cluster({ processes: 1, processorMsPerByte: 1 })).stepMs).toBe(80);
  });
});

describe('the timeline of a program', () => {
  const work: WorkOptions = {
    work: 'train',
    network: 'inception-v4',
    options: { width: 0.25, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75, classes: 10 },
    batch: 2,
    precision: 'float32',
    device: 'cpu',
    threads: 1,
  };
  const graph = graphOfWork(work);
  const job = describeJob(graph, work, { weights: '', images: '', onnx: '' });
  const compiled = (reduce: 'float32' | 'bfloat16') => {
    const replicas: WorkOptions['replicas'] = {
      ...{ count: 2, processes: 2, reduce },
      ...{ batchNorm: 'own', average: 'reduce' },
    };
    const { step, store } = compileTraining(graph, { ...trainingOptions(job), kernels: 'aten', replicas });
    return { program: step, store };
  };

  it('has each bucket when it is whole and when it is needed', () => {
    const step = compiled('float32');
    const times = timesByMacs(graph, step.program, 300);
    const { computeMs, buckets } = timelineOf(step, times);
    expect(computeMs).toBeCloseTo(300);
    const gradient = step.store.tensors.find(({ name }) => name === 'flat/gradient');
    const bytes = buckets.slice(2).reduce((sum, bucket) => sum + bucket.bytes, 0);
    expect(bytes).toBe(4 * (gradient?.shape[0] ?? 0));
    // The backward pass begins after a third of the multiply-adds, and everything is needed when it has ended.
    for (const { wholeMs, neededMs } of buckets.slice(2)) {
      expect(wholeMs).toBeGreaterThan(99);
      expect(neededMs).toBeCloseTo(300);
    }
    const whole = buckets.map(({ wholeMs }) => wholeMs);
    expect(whole).toEqual(whole.toSorted((a, b) => a - b));
    expect(scaled({ computeMs, buckets }, 30).buckets[3]?.wholeMs).toBeCloseTo((whole[3] ?? 0) / 10);
  });

  it('knows that bfloat16 is half', () => {
    const bytes = (reduce: 'float32' | 'bfloat16') => {
      const step = compiled(reduce);
      return timelineOf(step, []).buckets.map((bucket) => bucket.bytes);
    };
    const [, , ...halves] = bytes('bfloat16');
    expect(halves).toEqual(
      bytes('float32')
        .slice(2)
        .map((each) => each / 2),
    );
  });

  it('does not count waiting', () => {
    const step = compiled('float32');
    const waits = step.program.steps.map((each) =>
      each.do === 'call' && each.operator === 'inception::wait_' ? 1000 : 0,
    );
    expect(timelineOf(step, waits).computeMs).toBe(0);
  });
});
