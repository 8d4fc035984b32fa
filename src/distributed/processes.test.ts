/** Groups of real processes of the built package, which are killed and stopped, and started by the real launchers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const worker = fileURLToPath(new URL('../../test/group-worker.mjs', import.meta.url));

interface Line {
  readonly rank: number;
  readonly pid: number;
  readonly joined?: object;
  readonly step?: string;
  readonly result?: unknown;
  readonly error?: { readonly name: string; readonly message: string; readonly rank?: number };
  readonly ended?: boolean;
  /** `performance.now()` here. */
  readonly at: number;
}

interface Started {
  readonly child: ChildProcess;
  readonly lines: Line[];
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  until(what: (line: Line) => boolean): Promise<Line>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const lines: Line[] = [];
  let [rest, stderr] = ['', ''];
  let wake = () => {};
  child.stdout.on('data', (data) => {
    const all = (rest + data).split('\n');
    rest = all.pop() ?? '';
    for (const line of all)
      if (line.startsWith('{')) lines.push({ ...JSON.parse(line), at: performance.now() });
    wake();
  });
  child.stderr.on('data', (data) => (stderr += data));
  const ended = once(child, 'close').then(([code]) => {
    wake();
    return { code: code as number | null, stderr };
  });
  return {
    child,
    lines,
    ended,
    until: async (what) => {
      for (;;) {
        const line = lines.find(what);
        if (line) return line;
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`ended before that: ${JSON.stringify(lines)}\n${stderr}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** A busy machine may keep a process waiting for seconds, which is not to be taken for a loss. */
const calm = { heartbeat: 0.2, peerTimeout: 60, joinTimeout: 120 };
/** For those that are to be lost by their silence. */
const quick = { heartbeat: 0.1, peerTimeout: 2, joinTimeout: 120 };

/** As many processes as a launcher would start, each a child of this one. */
async function groupOf(size: number, script: string, options: object = calm): Promise<Started[]> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return Array.from({ length: size }, (_, rank) =>
    start(process.execPath, [worker], {
      ...{
        RANK: String(rank),
        WORLD_SIZE: String(size),
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: String(port),
      },
      ...{ GROUP_SCRIPT: script, GROUP_OPTIONS: JSON.stringify(options) },
    }),
  );
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const allAtBarrier = (group: readonly Started[]) =>
  Promise.all(group.map(({ until }) => until(({ step }) => step === 'barrier')));
const errorOf = async ({ until }: Started) =>
  (await until(({ error }) => error !== undefined)).error?.message;

describe('a group of real processes', () => {
  it('passes values', async () => {
    const group = await groupOf(3, 'gather x,fromFirst y,long 3000000,barrier');
    for (const { ended, lines } of group) {
      expect(await ended).toEqual({ code: 0, stderr: '' });
      expect(lines.flatMap(({ step, result }) => (step ? [[step, result]] : []))).toEqual([
        ['gather x', ['x', 'x', 'x']],
        ['fromFirst y', 'y0'],
        ['long 3000000', [3_000_000, 3_000_000, 3_000_000]],
        ['barrier', undefined],
      ]);
    }
  });

  it.each([0, 2])('names rank %i, which was killed, on all others', async (victim) => {
    const group = await groupOf(4, 'barrier,wait 60000');
    await allAtBarrier(group);
    const killedAt = performance.now();
    group[victim]?.child.kill('SIGKILL');
    for (const [rank, { until, ended }] of group.entries()) {
      if (rank === victim) continue;
      const { error, at } = await until((line) => line.error !== undefined);
      expect(error).toMatchObject({ name: 'LostPeerError', rank: victim });
      expect(error?.message).toMatch(
        new RegExp(
          `^rank ${victim} on host \\S+ is gone: its connection was closed; its own output may say why; `,
        ),
      );
      expect(at - killedAt).toBeLessThan(30_000);
      expect((await ended).code).toBe(1);
    }
  });

  it.each([0, 1])('names rank %i, which was stopped for long, on all and on itself', async (victim) => {
    const group = await groupOf(3, 'barrier,wait 60000', quick);
    await allAtBarrier(group);
    const stoppedAt = performance.now();
    group[victim]?.child.kill('SIGSTOP');
    for (const [rank, { until, ended }] of group.entries()) {
      if (rank === victim) continue;
      const { error, at } = await until((line) => line.error !== undefined);
      expect(error?.message).toMatch(
        new RegExp(
          `^rank ${victim} on host \\S+ was silent for 2 s: it is stopped, its machine is gone, or the network between is down; `,
        ),
      );
      expect(at - stoppedAt).toBeGreaterThan(1800);
      expect(at - stoppedAt).toBeLessThan(30_000);
      await ended;
    }
    group[victim]?.child.kill('SIGCONT');
    expect(await errorOf(group[victim] as Started)).toMatch(
      new RegExp(`^this process, rank ${victim} on host \\S+, was silent for 2 s: `),
    );
  });

  it.each([0, 1])('does not lose rank %i if it is stopped for less than the time', async (victim) => {
    const group = await groupOf(3, 'barrier,wait 1500,gather x', { ...quick, peerTimeout: 10 });
    await allAtBarrier(group);
    group[victim]?.child.kill('SIGSTOP');
    await delay(2000);
    group[victim]?.child.kill('SIGCONT');
    for (const { ended } of group) expect(await ended).toEqual({ code: 0, stderr: '' });
  });

  it('loses nobody if all are stopped together', async () => {
    const group = await groupOf(3, 'barrier,wait 500,gather x', { ...quick, peerTimeout: 4 });
    await allAtBarrier(group);
    for (const { child } of group) child.kill('SIGSTOP');
    await delay(6000);
    for (const { child } of group) child.kill('SIGCONT');
    for (const { ended } of group) expect(await ended).toEqual({ code: 0, stderr: '' });
  });

  it('loses nobody whose main thread is busy for less than the time, again and again', async () => {
    const group = await groupOf(2, `barrier,${'block 1200,wait 0,'.repeat(4)}gather x`, quick);
    for (const { ended } of group) expect(await ended).toEqual({ code: 0, stderr: '' });
  });

  it('notices a lost process although its own main thread is busy now and then', async () => {
    const group = await groupOf(2, `barrier,${'block 300,wait 0,'.repeat(100)}`, quick);
    await allAtBarrier(group);
    group[1]?.child.kill('SIGSTOP');
    const stoppedAt = performance.now();
    const { error, at } = await (group[0] as Started).until((line) => line.error !== undefined);
    expect(error?.message).toMatch(/^rank 1 on host \S+ was silent for 2 s/);
    expect(at - stoppedAt).toBeLessThan(30_000);
  });

  it('ends where one process fails: the others name it', async () => {
    const group = await groupOf(3, 'barrier,exit 1,gather x');
    expect(await Promise.all(group.map(async ({ ended }) => (await ended).code))).toEqual([1, 3, 1]);
    expect(await errorOf(group[2] as Started)).toMatch(/^rank 1 on host \S+ is gone/);
  });
});

const torchrun = process.env.TORCHRUN;

describe.skipIf(torchrun === undefined)('under the real torchrun (TORCHRUN names it)', () => {
  const run = (args: readonly string[], script: string, env: NodeJS.ProcessEnv = {}) =>
    start(torchrun as string, [...args, '--no-python', process.execPath, worker], {
      ...{ GROUP_SCRIPT: script, GROUP_OPTIONS: JSON.stringify(calm) },
      ...env,
    });
  const joinedOf = ({ lines }: Started) =>
    lines
      .filter(({ joined }) => joined !== undefined)
      .sort((a, b) => a.rank - b.rank)
      .map(({ rank, joined }) => ({ rank, ...joined }));
  const member = (rank: number, attempt = 0) => ({
    ...{ rank, size: 3, localRank: rank, localSize: 3, address: '127.0.0.1', attempt },
  });

  it.each([
    ['whose agent has the port', {}],
    ['whose agent leaves it', { TORCH_DISABLE_SHARE_RDZV_TCP_STORE: '1' }],
  ])('%s, all meet and have the ranks exactly once', async (_, env) => {
    const started = run(['--standalone', '--nproc-per-node', '3'], 'gather x,barrier', env);
    const { code, stderr } = await started.ended;
    expect(code, stderr).toBe(0);
    expect(joinedOf(started)).toEqual([member(0), member(1), member(2)]);
  });

  it('all meet again after one failed', async () => {
    const args = ['--standalone', '--nproc-per-node', '3', '--max-restarts', '1'];
    const started = run(args, 'barrier,failOnce 1,gather x');
    const { code, stderr } = await started.ended;
    expect(code, stderr).toBe(0);
    expect(joinedOf(started)).toEqual([0, 1, 2].flatMap((rank) => [member(rank), member(rank, 1)]));
    expect(started.lines.filter(({ ended }) => ended)).toHaveLength(3);
  });
});

const isOnPath = (name: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(`${folder}/${name}`));

describe.skipIf(!isOnPath('mpirun'))('under the real mpirun', () => {
  it('all meet and have the ranks exactly once', async () => {
    const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
    const started = start('mpirun', [...asRoot, '-n', '3', process.execPath, worker], {
      ...{ GROUP_SCRIPT: 'gather x,barrier', GROUP_OPTIONS: JSON.stringify(calm) },
      OMPI_MCA_rmaps_base_oversubscribe: '1',
    });
    const { code, stderr } = await started.ended;
    expect(code, stderr).toBe(0);
    expect(
      started.lines
        .filter(({ ended }) => ended)
        .map(({ rank }) => rank)
        .sort(),
    ).toEqual([0, 1, 2]);
  });
});
