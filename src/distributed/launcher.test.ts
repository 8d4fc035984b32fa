import { describe, expect, it } from 'vitest';
import { type Environment, isOnOneMachine, LauncherError, launchedBy } from './launcher.ts';
import { firstHost } from './slurm-hosts.ts';

/** What torchrun of PyTorch 2.15 sets for rank 3 of two machines with two processes each. */
const torchrun: Environment = {
  ...{ RANK: '3', WORLD_SIZE: '4', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2', GROUP_RANK: '1' },
  ...{ MASTER_ADDR: 'worker-0', MASTER_PORT: '29500', OMP_NUM_THREADS: '1' },
  ...{ TORCHELASTIC_RUN_ID: 'none', TORCHELASTIC_RESTART_COUNT: '2', TORCHELASTIC_MAX_RESTARTS: '3' },
  TORCHELASTIC_USE_AGENT_STORE: 'True',
};

/** What mpirun 4.1.4 sets, and Open MPI 5 with another name of the job. */
const openMpi: Environment = {
  ...{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' },
  ...{ OMPI_COMM_WORLD_LOCAL_RANK: '1', OMPI_COMM_WORLD_LOCAL_SIZE: '2' },
  ...{ PMIX_NAMESPACE: '1901854721', OMPI_MCA_ess_base_jobid: '1901854721' },
};

const slurm: Environment = {
  ...{
    SLURM_PROCID: '5',
    SLURM_NTASKS: '8',
    SLURM_STEP_NUM_TASKS: '8',
    SLURM_LOCALID: '1',
    SLURM_NODEID: '2',
  },
  ...{ SLURM_JOB_ID: '1234567', SLURM_STEP_ID: '0', SLURM_STEP_NODELIST: 'gpu[08-11]' },
};

const kubeflow: Environment = {
  ...{ PET_NNODES: '2', PET_NPROC_PER_NODE: '1', PET_NODE_RANK: '1' },
  ...{ PET_MASTER_ADDR: 'train-node-0-0.train', PET_MASTER_PORT: '29400' },
};

const plain: Environment = { RANK: '1', WORLD_SIZE: '3', MASTER_ADDR: '10.0.0.1', MASTER_PORT: '1234' };

const rowFrom = (first: number) => Array.from({ length: 16 }, (_, index) => first + index);

describe('the place of a process is read off the environment', () => {
  it.each<[string, Environment, object | undefined]>([
    ['nothing', { PATH: '/bin', OMP_NUM_THREADS: '2' }, undefined],
    [
      'torchrun whose agent listens on MASTER_PORT',
      torchrun,
      {
        ...{ launcher: 'torchrun', rank: 3, size: 4, localRank: 1, localSize: 2 },
        ...{ host: 'worker-0', ports: rowFrom(29501), run: 'none/29500', attempt: 2, startsAgain: true },
      },
    ],
    [
      'torchrun on several machines, whose agents have seen different numbers of failures',
      { ...torchrun, GROUP_WORLD_SIZE: '2' },
      { attempt: 0, startsAgain: true },
    ],
    [
      'torchrun whose agent does not',
      { ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'False' },
      { ports: [29500], run: 'none/29500' },
    ],
    [
      'torchrun at the last of all ports',
      { ...torchrun, MASTER_PORT: '65530' },
      { ports: [65531, 65532, 65533, 65534, 65535, ...Array.from({ length: 11 }, (_, i) => 65525 - i)] },
    ],
    [
      'plain RANK and WORLD_SIZE',
      plain,
      { ...{ rank: 1, size: 3, host: '10.0.0.1', ports: [1234], run: '', attempt: 0 } },
    ],
    ['a plain group of one', { RANK: '0', WORLD_SIZE: '1' }, { rank: 0, size: 1 }],
    [
      'processes of one machine',
      { ...plain, INCEPTION_RUN: 'a', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '3' },
      { run: 'a', localRank: 1, localSize: 3 },
    ],
    [
      'mpirun on one machine',
      openMpi,
      {
        ...{ launcher: 'mpirun', rank: 1, size: 2, localRank: 1, localSize: 2 },
        ...{ host: '127.0.0.1', run: '1901854721', attempt: 0 },
      },
    ],
    [
      'mpirun on two machines',
      { ...openMpi, OMPI_COMM_WORLD_SIZE: '4', MASTER_ADDR: 'a', MASTER_PORT: '5000' },
      { size: 4, localSize: 2, host: 'a', ports: [5000] },
    ],
    [
      'srun',
      slurm,
      {
        ...{ launcher: 'srun', rank: 5, size: 8, localRank: 1 },
        ...{ host: 'gpu08', ports: rowFrom(19567), run: '1234567.0', attempt: 0 },
      },
    ],
    [
      'srun in a script that exports MASTER_ADDR and MASTER_PORT',
      { ...slurm, MASTER_ADDR: 'gpu09', MASTER_PORT: '29500', SLURM_RESTART_COUNT: '1' },
      { host: 'gpu09', ports: [29500], attempt: 1 },
    ],
    ['a batch script that srun did not start', { ...slurm, SLURM_STEP_ID: undefined }, undefined],
    ['one task', { ...slurm, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }, undefined],
    [
      'an interactive allocation',
      { ...slurm, SLURM_STEP_NUM_TASKS: undefined, SLURM_NTASKS: '1' },
      undefined,
    ],
    [
      'a node of a Kubeflow job',
      kubeflow,
      {
        ...{ launcher: 'PET_NNODES', rank: 1, size: 2, localRank: 0, localSize: 1 },
        ...{ host: 'train-node-0-0.train', ports: [29400], attempt: 0 },
      },
    ],
    ['the only node of a Kubeflow job', { ...kubeflow, PET_NNODES: '1', PET_NODE_RANK: '0' }, undefined],
  ])('%s', (_, env, expected) => {
    const launched = launchedBy(env);
    if (expected === undefined) expect(launched).toBeUndefined();
    else expect(launched).toMatchObject(expected);
  });

  it('takes torchrun before plain variables, those before Open MPI, that before Slurm, and PET_ last', () => {
    const all = { ...kubeflow, ...slurm, ...openMpi, ...plain, ...torchrun };
    const launcherOf = (env: Environment) => launchedBy(env)?.launcher;
    expect(launcherOf(all)).toBe('torchrun');
    expect(launcherOf({ ...kubeflow, ...slurm, ...openMpi, ...plain })).toBe('RANK and WORLD_SIZE');
    expect(launcherOf({ ...kubeflow, ...slurm, ...openMpi })).toBe('mpirun');
    expect(launcherOf({ ...kubeflow, ...slurm })).toBe('srun');
  });

  it('gives the processes of one job of Open MPI the same ports, below those of outgoing connections', () => {
    const ports = (job: string) => launchedBy({ ...openMpi, PMIX_NAMESPACE: job })?.ports;
    expect(ports('prterun-a-17@1')).toEqual(ports('prterun-a-17@1'));
    expect(ports('prterun-a-17@1')).not.toEqual(ports('prterun-a-18@1'));
    for (const port of ports('1') ?? []) expect(port >= 20_000 && port < 32_768).toBe(true);
    expect(ports('1')).toHaveLength(16);
  });

  it('knows when no other machine takes part', () => {
    expect(
      [openMpi, torchrun, slurm, kubeflow].map((env) => isOnOneMachine(launchedBy(env) as never)),
    ).toEqual([...[true, false, false, false]]);
  });
});

describe('an environment that no launcher writes is refused', () => {
  it.each<[Environment, string]>([
    [
      { ...plain, WORLD_SIZE: undefined },
      'WORLD_SIZE: expected a whole number from 1 to 1000000 in the environment, received nothing',
    ],
    [{ ...plain, RANK: '3' }, "RANK: expected a whole number from 0 to 2 in the environment, received '3'"],
    [
      { ...torchrun, RANK: '-1' },
      "RANK: expected a whole number from 0 to 3 in the environment, received '-1'",
    ],
    [
      { ...torchrun, LOCAL_RANK: '2' },
      "LOCAL_RANK: expected a whole number from 0 to 1 in the environment, received '2'",
    ],
    [
      { ...torchrun, MASTER_PORT: '99999' },
      "MASTER_PORT: expected a whole number from 1 to 65535 in the environment, received '99999'",
    ],
    [
      { ...plain, MASTER_ADDR: undefined },
      'MASTER_ADDR: expected the name or address of the machine of rank 0 in the environment, received nothing; with RANK and WORLD_SIZE it is needed (a launcher such as torchrun sets all of them; unset them to run alone)',
    ],
    [
      { ...plain, MASTER_ADDR: 'a b\u001b' },
      "MASTER_ADDR: expected the name or address of the machine of rank 0 in the environment, received 'a b\\u001b'; with RANK and WORLD_SIZE it is needed (a launcher such as torchrun sets all of them; unset them to run alone)",
    ],
    [
      { ...openMpi, OMPI_COMM_WORLD_SIZE: '4' },
      'MASTER_ADDR: expected the name or address of the machine of rank 0 in the environment, received nothing; Open MPI does not say it to processes on several machines: mpirun -x MASTER_ADDR=HOST …, the first host of the list',
    ],
    [
      { ...slurm, SLURM_STEP_NODELIST: 'gpu[08' },
      "SLURM_STEP_NODELIST: expected a list of hosts such as 'node[01-04,07]' in the environment, received 'gpu[08'",
    ],
    [
      { ...kubeflow, PET_NPROC_PER_NODE: 'auto' },
      "PET_NPROC_PER_NODE: expected 1 where no torchrun starts the processes of a node, received 'auto'; start the command by torchrun, which reads the PET_ variables, or by 'inception … --processes N'",
    ],
    [
      { ...kubeflow, PET_NNODES: '1:4' },
      "PET_NNODES: expected a whole number where no torchrun agrees on the nodes, received '1:4'; start the command by torchrun, which reads the PET_ variables, or by 'inception … --processes N'",
    ],
  ])('%#', (env, message) => {
    expect(() => launchedBy(env)).toThrow(new LauncherError(message));
  });
});

describe("the first host of Slurm's list", () => {
  it.each([
    ['login', 'login'],
    ['a.b-1,c', 'a.b-1'],
    ['gpu[08-11,20],x', 'gpu08'],
    ['gpu[7,9-12]', 'gpu7'],
    ['rack[1-2]-node[003-8].net,y', 'rack1-node003.net'],
    ['', undefined],
    ['gpu[08', undefined],
    ['gpu[]', undefined],
    ['gpu[a-b]', undefined],
    ['a b', undefined],
    [',a', undefined],
  ])('of %s is %s', (list, host) => {
    expect(firstHost(list)).toBe(host);
  });
});
