/**
 * What started this process as one of several: torchrun, mpirun, srun, a Kubeflow job, or whoever set RANK and WORLD_SIZE. Read off
 * the environment, which is all that a launcher says; a launcher is one entry of a table.
 */
import { createHash } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { quoted } from '../printable.ts';
import { firstHost } from './slurm-hosts.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A process among the `size` that were started together, and where rank 0 is found. */
export interface Launched {
  /** For messages. */
  readonly launcher: string;
  readonly rank: number;
  readonly size: number;
  /** Rank among the processes of this machine, where the launcher says it. */
  readonly localRank?: number;
  readonly localSize?: number;
  /** The host of rank 0. */
  readonly host: string;
  /** Rank 0 listens on the first of these that is free; the others try them in turn. */
  readonly ports: readonly number[];
  /** Tells this run's processes from those of another that tries the same ports. */
  readonly run: string;
  /** How often the launcher has started all processes again. */
  readonly attempt: number;
  /** Whether the launcher starts all processes again by itself: after a failure, and when machines come or go. */
  readonly startsAgain?: boolean;
}

/** The environment of a launcher is incomplete, or not what the launcher writes. */
export class LauncherError extends UsageError {
  override name = 'LauncherError';
}

interface Launcher {
  readonly name: string;
  /** Whether this launcher started the process. */
  readonly started: (env: Environment) => boolean;
  /** Undefined where it started only one. */
  readonly read: (env: Environment) => Launched | undefined;
}

/** Ports that are tried where one that the launcher names may not be taken, or where it names none. */
const portsTried = 16;

const row = (first: number): number[] =>
  // Beyond the last port the row goes on below.
  Array.from({ length: portsTried }, (_, index) =>
    first + index <= 65535 ? first + index : first - index - 1,
  );

const isSet = (env: Environment, name: string): boolean => (env[name] ?? '') !== '';

interface Bounds {
  readonly atLeast?: number;
  readonly atMost?: number;
}

function numberOf(env: Environment, name: string, { atLeast = 0, atMost = 1_000_000 }: Bounds = {}): number {
  const text = env[name]?.trim() ?? '';
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= atLeast && value <= atMost) return value;
  const received = text === '' ? 'nothing' : quoted(text);
  throw new LauncherError(
    `${name}: expected a whole number from ${atLeast} to ${atMost} in the environment, received ${received}`,
  );
}

const optionalNumber = (env: Environment, name: string, bounds?: Bounds): number | undefined =>
  isSet(env, name) ? numberOf(env, name, bounds) : undefined;

const portOf = (env: Environment, name: string): number => numberOf(env, name, { atLeast: 1, atMost: 65535 });

function hostOf(env: Environment, name: string, advice: string): string {
  const host = env[name]?.trim() ?? '';
  if (/^[\w.:%-]{1,255}$/.test(host)) return host;
  const received = host === '' ? 'nothing' : quoted(host);
  throw new LauncherError(
    `${name}: expected the name or address of the machine of rank 0 in the environment, received ${received}; ${advice}`,
  );
}

/** The names that a launcher gives to what all of them say. */
interface Names {
  readonly rank: string;
  readonly size: string;
  readonly localRank: string;
  readonly localSize: string;
}

type Place = Pick<Launched, 'rank' | 'size' | 'localRank' | 'localSize'>;

function placeOf(env: Environment, names: Names): Place {
  const size = numberOf(env, names.size, { atLeast: 1 });
  const rank = numberOf(env, names.rank, { atMost: size - 1 });
  const localSize = optionalNumber(env, names.localSize, { atLeast: 1, atMost: size });
  const localRank = optionalNumber(env, names.localRank, { atMost: (localSize ?? size) - 1 });
  return {
    rank,
    size,
    ...(localRank !== undefined && { localRank }),
    ...(localSize !== undefined && { localSize }),
  };
}

const torchNames: Names = {
  rank: 'RANK',
  size: 'WORLD_SIZE',
  localRank: 'LOCAL_RANK',
  localSize: 'LOCAL_WORLD_SIZE',
};

/** Whether torchrun's agents are on several machines. */
const isSeveral = (env: Environment): boolean => (optionalNumber(env, 'GROUP_WORLD_SIZE') ?? 1) > 1;

const torchrun: Launcher = {
  name: 'torchrun',
  started: (env) => isSet(env, 'TORCHELASTIC_RUN_ID'),
  read: (env) => {
    const port = portOf(env, 'MASTER_PORT');
    // The agent listens on MASTER_PORT itself, and a client of another version may hang there for ever.
    const isAgents = env.TORCHELASTIC_USE_AGENT_STORE === 'True';
    return {
      launcher: torchrun.name,
      ...placeOf(env, torchNames),
      host: hostOf(env, 'MASTER_ADDR', 'torchrun sets it'),
      ports: isAgents ? row(port === 65535 ? port - 1 : port + 1) : [port],
      // Without --rdzv-id every run is called 'none'; no two share the port of the agent.
      run: `${env.TORCHELASTIC_RUN_ID}/${port}`,
      // Each machine's agent counts the failures that it has seen: one that came later has seen fewer.
      attempt: isSeveral(env) ? 0 : (optionalNumber(env, 'TORCHELASTIC_RESTART_COUNT') ?? 0),
      startsAgain: true,
    };
  },
};

const plain: Launcher = {
  name: 'RANK and WORLD_SIZE',
  started: (env) => isSet(env, 'RANK') || isSet(env, 'WORLD_SIZE'),
  read: (env) => {
    const place = placeOf(env, torchNames);
    const advice =
      'with RANK and WORLD_SIZE it is needed (a launcher such as torchrun sets all of them; unset them to run alone)';
    return {
      launcher: plain.name,
      ...place,
      host: place.size === 1 ? (env.MASTER_ADDR ?? '127.0.0.1') : hostOf(env, 'MASTER_ADDR', advice),
      ports: place.size === 1 ? [] : [portOf(env, 'MASTER_PORT')],
      run: env.INCEPTION_RUN ?? '',
      attempt: 0,
    };
  },
};

/** A port below those that the system gives to outgoing connections, the same for all processes of a job. */
const portFrom = (job: string): number =>
  20_000 + (createHash('sha256').update(job).digest().readUInt32BE() % 12_000);

const openMpi: Launcher = {
  name: 'mpirun',
  started: (env) => isSet(env, 'OMPI_COMM_WORLD_SIZE'),
  read: (env) => {
    const place = placeOf(env, {
      rank: 'OMPI_COMM_WORLD_RANK',
      size: 'OMPI_COMM_WORLD_SIZE',
      localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
      localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
    });
    const job = env.PMIX_NAMESPACE || env.OMPI_MCA_ess_base_jobid || '';
    const onOneMachine = place.localSize === place.size;
    return {
      launcher: openMpi.name,
      ...place,
      host:
        onOneMachine && !isSet(env, 'MASTER_ADDR')
          ? '127.0.0.1'
          : hostOf(
              env,
              'MASTER_ADDR',
              'Open MPI does not say it to processes on several machines: mpirun -x MASTER_ADDR=HOST …, the first host of the list',
            ),
      ports: isSet(env, 'MASTER_PORT') ? [portOf(env, 'MASTER_PORT')] : row(portFrom(job)),
      run: job,
      attempt: 0,
    };
  },
};

const slurm: Launcher = {
  name: 'srun',
  // A batch script has the allocation's SLURM_NTASKS too, and is one process.
  started: (env) =>
    isSet(env, 'SLURM_STEP_ID') && (isSet(env, 'SLURM_NTASKS') || isSet(env, 'SLURM_STEP_NUM_TASKS')),
  read: (env) => {
    const size = isSet(env, 'SLURM_STEP_NUM_TASKS') ? 'SLURM_STEP_NUM_TASKS' : 'SLURM_NTASKS';
    if (numberOf(env, size, { atLeast: 1 }) === 1) return undefined;
    const place = placeOf(env, {
      rank: 'SLURM_PROCID',
      size,
      localRank: 'SLURM_LOCALID',
      // SLURM_TASKS_PER_NODE is a list for all nodes ('2(x3),1'): the group counts instead.
      localSize: '',
    });
    const list = isSet(env, 'SLURM_STEP_NODELIST') ? 'SLURM_STEP_NODELIST' : 'SLURM_NODELIST';
    const job = numberOf(env, 'SLURM_JOB_ID', { atMost: 4_294_967_295 });
    return {
      launcher: slurm.name,
      ...place,
      host: isSet(env, 'MASTER_ADDR') ? hostOf(env, 'MASTER_ADDR', 'or unset it') : slurmHost(env, list),
      ports: isSet(env, 'MASTER_PORT') ? [portOf(env, 'MASTER_PORT')] : row(15_000 + (job % 10_000)),
      run: `${job}.${env.SLURM_STEP_ID}`,
      attempt: optionalNumber(env, 'SLURM_RESTART_COUNT') ?? 0,
    };
  },
};

function slurmHost(env: Environment, name: string): string {
  const list = env[name] ?? '';
  const host = firstHost(list);
  if (host !== undefined) return host;
  throw new LauncherError(
    `${name}: expected a list of hosts such as 'node[01-04,07]' in the environment, received ${list === '' ? 'nothing' : quoted(list)}`,
  );
}

const useTorchrun =
  "start the command by torchrun, which reads the PET_ variables, or by 'inception … --processes N'";

const kubeflow: Launcher = {
  name: 'PET_NNODES',
  started: (env) => isSet(env, 'PET_NNODES') && isSet(env, 'PET_NODE_RANK'),
  read: (env) => {
    const each = env.PET_NPROC_PER_NODE?.trim() || '1';
    if (each !== '1')
      throw new LauncherError(
        `PET_NPROC_PER_NODE: expected 1 where no torchrun starts the processes of a node, received ${quoted(each)}; ${useTorchrun}`,
      );
    if (/^\d+:\d+$/.test(env.PET_NNODES ?? ''))
      throw new LauncherError(
        `PET_NNODES: expected a whole number where no torchrun agrees on the nodes, received ${quoted(env.PET_NNODES ?? '')}; ${useTorchrun}`,
      );
    const size = numberOf(env, 'PET_NNODES', { atLeast: 1 });
    if (size === 1) return undefined;
    return {
      launcher: kubeflow.name,
      rank: numberOf(env, 'PET_NODE_RANK', { atMost: size - 1 }),
      size,
      localRank: 0,
      localSize: 1,
      host: hostOf(env, 'PET_MASTER_ADDR', 'the job sets it'),
      ports: [portOf(env, 'PET_MASTER_PORT')],
      run: env.PET_RDZV_ID ?? '',
      attempt: 0,
    };
  },
};

/** Where several are set the first holds: torchrun may run under srun, and mpirun in a Slurm allocation. */
const launchers: readonly Launcher[] = [torchrun, plain, openMpi, slurm, kubeflow];

/** The place of this process among those that were started together; undefined if it was started alone. @throws LauncherError */
export const launchedBy = (env: Environment): Launched | undefined =>
  launchers.find(({ started }) => started(env))?.read(env);

/** Whether the launcher says that no other machine takes part. */
export const isOnOneMachine = ({ localSize, size }: Launched): boolean => localSize === size;
