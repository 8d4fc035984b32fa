/** How many threads a process computes on, where several share a machine. */
import type { Environment } from './launcher.ts';

export interface Threads {
  readonly threads: number;
  /** For one line of output: '4 of 8 cores for each of 2 processes'. */
  readonly reason: string;
}

interface Machine {
  readonly cores: number;
  /** Processes of the group on this machine. */
  readonly localSize: number;
  /** What `--threads` says. */
  readonly asked?: number | undefined;
}

/**
 * `--threads`, else OMP_NUM_THREADS, else a fair share of the cores. torchrun sets OMP_NUM_THREADS to 1 where it starts several
 * processes and nothing else was set, which would leave most cores idle: that value is taken for torchrun's, not for a person's.
 */
export function threadsFor(env: Environment, { cores, localSize, asked }: Machine): Threads {
  if (asked !== undefined) return { threads: asked, reason: '--threads' };
  const set = Number(/^\s*(\d{1,4})\s*(?:,|$)/.exec(env.OMP_NUM_THREADS ?? '')?.[1] ?? 0);
  const isTorchruns = set === 1 && localSize > 1 && env.TORCHELASTIC_RUN_ID !== undefined;
  if (set > 0 && !isTorchruns) return { threads: set, reason: 'OMP_NUM_THREADS' };
  const threads = Math.max(1, Math.floor(cores / localSize));
  return {
    threads,
    reason:
      localSize === 1
        ? 'all cores'
        : `${threads} of ${cores} cores for each of ${localSize} processes on this machine${isTorchruns ? "; OMP_NUM_THREADS=1 is torchrun's own" : ''}`,
  };
}
