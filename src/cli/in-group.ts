/** Commands that several processes carry out together, each of which a launcher has started with the same arguments. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { type Group, ownGroup } from '../distributed/group.ts';
import { joinGroup } from '../distributed/join-group.ts';
import { launchedBy } from '../distributed/launcher.ts';
import { threadsFor } from '../distributed/threads.ts';
import { UsageError } from '../errors.ts';
import { durationOption } from '../option.ts';
import { addDeclared, readDeclared } from './options/declared-options.ts';
import { addProcesses, ranAsProcesses } from './options/processes-option.ts';

export interface Joined {
  readonly group: Group;
  /** Undefined: what the engine chooses. */
  readonly threads: number | undefined;
  /** Whether the launcher may have started the command before, to go on with now; undefined where there is none that would. */
  readonly isRestart: boolean | undefined;
}

const groupOptions = {
  peerTimeout: durationOption({
    flag: '--peer-timeout <time>',
    about: 'silence after which another process is given up as lost',
    label: 'Peer timeout (seconds)',
    default: '15s',
  }),
};

export const addGroupOptions = (command: Command): Command =>
  addDeclared(addProcesses(command), groupOptions);

/** @throws UsageError where this process is one of several */
export function refuseInGroup(what: string): void {
  const launched = launchedBy(process.env);
  if (launched)
    throw new UsageError(
      `${what}: is done by one process; ${launched.launcher} has started ${launched.size}: expected the command without it`,
    );
}

/**
 * Reading libtorch, for CUDA gigabytes from what may be a network's disk, stops this thread, whose heartbeats the others would miss.
 * Where it cannot be loaded, whoever needs it says so.
 */
async function loadLibtorch(): Promise<void> {
  const { loadNative } = await import('../engine/native.ts');
  try {
    loadNative();
  } catch {}
}

/**
 * Joins the others, if a launcher started this process as one of several; leaves them when `use` has ended. Undefined where --processes
 * has done the work by copies of this process, whose exit code is set.
 */
export async function inGroup<Result>(
  values: { readonly threads?: number | undefined },
  use: (joined: Joined) => Promise<Result>,
): Promise<Result | undefined> {
  if (await ranAsProcesses({ ...values })) return undefined;
  const { threads: asked } = values;
  const { peerTimeout } = readDeclared(groupOptions, { ...values });
  const launched = launchedBy(process.env);
  if (!launched) {
    if (peerTimeout !== undefined)
      throw new UsageError(
        '--peer-timeout: has no effect on one process; expected --processes N, or torchrun, mpirun or srun',
      );
    return use({ group: ownGroup, threads: asked, isRestart: undefined });
  }
  await loadLibtorch();
  const group = await joinGroup(launched, {
    onNotice: (text) => process.stderr.write(`${text}\n`),
    ...(peerTimeout !== undefined && { peerTimeout }),
  });
  let failure: Error | undefined;
  try {
    const cores = availableParallelism();
    const { threads, reason } = threadsFor(process.env, { cores, localSize: group.localSize, asked });
    // Copies of this very command are told by the run that it gave them.
    const launcher = process.env.INCEPTION_RUN === undefined ? launched.launcher : '--processes';
    if (group.rank === 0) process.stderr.write(`${describe(group, launcher)}; threads: ${reason}\n`);
    return await use({ group, threads, isRestart: launched.startsAgain || launched.attempt > 0 });
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    await group.close(failure);
  }
}

function describe({ size, hosts }: Group, launcher: string): string {
  const machines = [...new Set(hosts)];
  const where =
    machines.length === 1
      ? ''
      : ` on ${machines.length} machines (${machines.slice(0, 4).join(', ')}${machines.length > 4 ? ', …' : ''})`;
  return `group: ${size === 1 ? '1 process' : `${size} processes`}${where}, started by ${launcher}`;
}
