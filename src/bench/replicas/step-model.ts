/** What a step of several processes would take on machines that one does not have: a model, for plans. */
import type { Timeline } from './timeline.ts';

/** A connection of one process, or of one node, to all others: as fast in each direction. */
export interface Link {
  readonly bytesPerSecond: number;
  /** Of one message, or one hop of a ring, beyond what its length takes. */
  readonly latencyMs: number;
}

export interface Cluster {
  readonly processes: number;
  /** Processes of one node, which share its link to other nodes. */
  readonly perNode: number;
  /** Between the processes of a node: one for each process. */
  readonly inside: Link;
  /** Between nodes: one for each node. */
  readonly between: Link;
  /**
   * 'owners' is ours: each process sends every other one that one's part of a bucket, and each owner sends the mean to all. 'ring' is the
   * all-reduce of NCCL and Gloo, which passes sums from neighbour to neighbour and enters and leaves a node once.
   */
  readonly algorithm: 'owners' | 'ring';
  /** What a process spends on each message that it sends to an owner, or as one; a ring's two neighbours cost nothing. */
  readonly messageMs: number;
  /**
   * Processor time of sending, receiving and adding one byte of a bucket, which the computing lacks: CPUs that do both. Default 0: a
   * device, or cores to spare.
   */
  readonly processorMsPerByte?: number;
}

export interface Plan {
  readonly stepMs: number;
  /** The link's share of the step, hidden or not. */
  readonly communicationMs: number;
  /** For which the computing waits. */
  readonly exposedMs: number;
  /** Images per second by those of as many processes that need not communicate. */
  readonly efficiency: number;
  readonly buckets: readonly {
    readonly bucket: number;
    readonly beginMs: number;
    readonly endMs: number;
    readonly exposedMs: number;
  }[];
}

/** What a bucket needs: the slowest link's time, and how long it takes beyond that until all have the mean. */
export function travel(
  bytes: number,
  cluster: Cluster,
): { readonly linkMs: number; readonly delayMs: number } {
  const { processes, perNode, inside, between, algorithm, messageMs } = cluster;
  const local = Math.min(perNode, processes);
  const nodes = Math.ceil(processes / perNode);
  const ms = (volume: number, { bytesPerSecond }: Link) => (volume / bytesPerSecond) * 1000;
  if (processes === 1) return { linkMs: 0, delayMs: 0 };
  if (algorithm === 'ring') {
    const volume = (2 * (processes - 1) * bytes) / processes;
    const hops = 2 * (processes - 1);
    const hopsBetween = nodes > 1 ? Math.round((hops * nodes) / processes) : 0;
    return {
      linkMs: Math.max(local > 1 ? ms(volume, inside) : 0, nodes > 1 ? ms(volume, between) : 0),
      delayMs: (hops - hopsBetween) * inside.latencyMs + hopsBetween * between.latencyMs,
    };
  }
  // Twice: to the owners, and from them.
  const within = (2 * (local - 1) * bytes) / processes;
  const out = (2 * local * (processes - local) * bytes) / processes;
  return {
    linkMs: Math.max(ms(within, inside), nodes > 1 ? ms(out, between) : 0) + 2 * (processes - 1) * messageMs,
    delayMs: 2 * (nodes > 1 ? between : inside).latencyMs,
  };
}

/**
 * Walks through the step: a bucket begins when it is whole and the link is free, and the computing waits where it needs one that has not
 * come. All processes are equally fast.
 */
export function planStep({ computeMs, buckets }: Timeline, cluster: Cluster): Plan {
  const perByte = cluster.processes > 1 ? (cluster.processorMsPerByte ?? 0) : 0;
  const moments = [
    ...buckets.map((bucket) => ({ bucket, kind: 'whole', at: bucket.wholeMs })),
    ...buckets.map((bucket) => ({ bucket, kind: 'needed', at: bucket.neededMs })),
  ].sort((a, b) => a.at - b.at);
  const found = new Map<number, { bucket: number; beginMs: number; endMs: number; exposedMs: number }>();
  // How far computing is behind a step without communication.
  let behind = 0;
  let linkFree = 0;
  let communicationMs = 0;
  let exposedMs = 0;
  for (const { bucket, kind, at } of moments) {
    const now = at + behind;
    if (kind === 'whole') {
      const { linkMs, delayMs } = travel(bucket.bytes, cluster);
      const processorMs = bucket.bytes * perByte;
      const beginMs = Math.max(now, linkFree);
      linkFree = beginMs + Math.max(linkMs, processorMs);
      communicationMs += Math.max(linkMs, processorMs);
      behind += processorMs;
      found.set(bucket.bucket, { bucket: bucket.bucket, beginMs, endMs: linkFree + delayMs, exposedMs: 0 });
      continue;
    }
    const entry = found.get(bucket.bucket);
    if (!entry) continue;
    entry.exposedMs = Math.max(0, entry.endMs - now);
    exposedMs += entry.exposedMs;
    behind += entry.exposedMs;
  }
  const stepMs = computeMs + behind;
  return {
    ...{ stepMs, communicationMs, exposedMs },
    ...{ efficiency: computeMs / stepMs, buckets: [...found.values()] },
  };
}
