/** Profiles the step of several processes of this machine: what of their communication was hidden behind the backward pass. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kernels } from '../../compile/options.ts';
import type { BucketTraffic } from '../../engine/engine.ts';
import { BenchError } from '../bench-error.ts';
import { describeJob, type WorkOptions } from '../job.ts';
import { compileWork, graphOfWork } from '../our-step.ts';
import { lowerQuartiles, type Profile, refuseDevice } from '../profile.ts';
import { Side } from '../side.ts';
import { median } from '../statistics.ts';
import { type BucketMoment, type Timeline, timelineOf } from './timeline.ts';

export interface ReplicasProfile extends Profile {
  readonly processes: number;
  readonly reduce: 'float32' | 'bfloat16';
  /** Images of one process in a step. */
  readonly batch: number;
  /** Of the slowest process: the step, and the same step where nothing travels, while the others do the same. */
  readonly stepMs: number;
  readonly aloneMs: number;
  readonly timeline: Timeline;
  readonly buckets: readonly BucketProfile[];
}

/** Of one process in a step: means over processes and steps. */
export interface BucketProfile extends Omit<BucketMoment, 'neededMs' | 'bytes'>, BucketTraffic {}

interface Options {
  readonly processes: number;
  readonly reduce: 'float32' | 'bfloat16';
  readonly rounds: number;
}

/** Of rank 0. */
interface FirstReply {
  readonly port: number;
  readonly whyAlone?: string;
  readonly kernels: Kernels;
}

const worker = fileURLToPath(new URL('../../../dist/bench/workers/replica.js', import.meta.url));

/** @throws BenchError on CUDA, and where libtorch cannot carry tensors between processes */
export async function profileReplicas(work: WorkOptions, options: Options): Promise<ReplicasProfile> {
  const { processes, reduce, rounds } = options;
  refuseDevice(work);
  const replicas: WorkOptions['replicas'] = {
    ...{ count: processes, processes, reduce },
    ...{ batchNorm: 'own', average: 'reduce' },
  };
  const graph = graphOfWork(work);
  const job = describeJob(graph, { ...work, replicas }, { weights: '', images: '', onnx: '' });
  const folder = mkdtempSync(join(tmpdir(), 'inception-profile-'));
  const sides: Side[] = [];
  try {
    const path = join(folder, 'job.json');
    writeFileSync(path, JSON.stringify(job));
    const start = async (_: unknown, rank: number) => {
      const { threads } = work;
      const args = [worker, path, String(rank), String(processes)];
      const side = await Side.start(
        { name: `rank ${rank}`, command: process.execPath, args },
        { threads, clock: 'wall', skip: rank * threads },
      );
      sides.push(side);
      return side;
    };
    const all = await Promise.all(Array.from({ length: processes }, start));
    const ask = async <T>(line: string) => (await Promise.all(all.map((side) => side.ask(line)))) as T[];
    const { port, whyAlone, kernels } = (all[0] as Side).first as unknown as FirstReply;
    if (whyAlone !== undefined) throw new BenchError(`profile: --processes ${processes}: ${whyAlone}`);
    await ask('alone 1');
    const alone = await ask<{ wall: number[] }>(`alone ${rounds}`);
    await ask(`join ${port}`);
    await ask('run 2');
    const together = await ask<{ wall: number[]; buckets: BucketTraffic[] }>(`run ${rounds}`);
    const [{ rounds: runs } = { rounds: [] }] = await ask<{ rounds: number[][] }>(`profile ${rounds}`);
    const { spec: store, program } = compileWork(graph, job, kernels);
    const microseconds = lowerQuartiles(runs);
    const timeline = timelineOf({ program, store }, microseconds);
    const moments = new Map(timeline.buckets.map((each) => [each.bucket, each]));
    return {
      ...{ program, microseconds, processes, reduce, batch: work.batch, timeline },
      stepMs: slowest(together),
      aloneMs: slowest(alone),
      buckets: meanOf(together.map(({ buckets }) => buckets)).flatMap((traffic) => {
        const moment = moments.get(traffic.bucket);
        return moment ? [{ values: moment.values, wholeMs: moment.wholeMs, ...traffic }] : [];
      }),
    };
  } finally {
    for (const side of sides) side.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Median over steps, each of which ends with its last process. */
const slowest = (sides: readonly { readonly wall: readonly number[] }[]): number => {
  const [first] = sides;
  return median((first?.wall ?? []).map((_, step) => Math.max(...sides.map(({ wall }) => wall[step] ?? 0))));
};

function meanOf(ranks: readonly (readonly BucketTraffic[])[]): BucketTraffic[] {
  return (ranks[0] ?? []).map(({ bucket }) => {
    const mean = (name: 'bytes' | 'busyMs' | 'exposedMs') =>
      ranks.reduce((sum, each) => sum + (each.find((other) => other.bucket === bucket)?.[name] ?? 0), 0) /
      ranks.length;
    return { bucket, bytes: mean('bytes'), busyMs: mean('busyMs'), exposedMs: mean('exposedMs') };
  });
}
