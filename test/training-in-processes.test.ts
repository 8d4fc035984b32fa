/** One training by several processes, as its users have it: the built command, real processes, real signals. It needs a build. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  allEnded,
  command,
  type Ended,
  inception,
  inceptionGroup,
  killAll,
  type Running,
  start,
} from './command-group.ts';
import {
  checkpointsOf,
  contentsOf,
  numbersIn,
  tensorsIn,
  writeImages,
  writeNetwork,
} from './small-training.ts';

const work = mkdtempSync(join(tmpdir(), 'inception-processes-'));
const data = join(work, 'data');
const network = writeNetwork(join(work, 'network.json'));
beforeAll(() => writeImages(data));
afterEach(killAll);
afterAll(() => rmSync(work, { recursive: true }));

const out = (name: string): string => join(work, name);
const always = ['--threads', '1', '--precision', 'float32', '--recipe', 'small-data'];
const fresh = (run: string, options: string): string[] => [
  ...['train', network, '--data', data, '--out', out(run), ...always],
  ...options.split(' ').filter(Boolean),
];

const failures = (ended: readonly Ended[]) => ended.filter(({ code }) => code !== 0);

/** Trains to the end. */
async function trained(run: string, processes: number, args: readonly string[]): Promise<string> {
  expect(failures(await allEnded(await inceptionGroup(processes, args)))).toEqual([]);
  return out(run);
}

describe('the same replicas', () => {
  const four = '--replicas 4 --batch 2 --epochs 2 --save-every 5';

  it('train the same, bit for bit, in 1, 2 and 3 processes', async () => {
    const alone = await contentsOf(await trained('one', 1, fresh('one', four)));
    for (const processes of [2, 3]) {
      const run = `by-${processes}`;
      expect(await contentsOf(await trained(run, processes, fresh(run, four)))).toEqual(alone);
    }
  });

  it('of which the paper has twenty, do so in one process and in two', async () => {
    const twenty = '--replicas 20 --batch 1 --epochs 3';
    const alone = await contentsOf(await trained('twenty', 1, fresh('twenty', twenty)));
    expect(await contentsOf(await trained('twenty-2', 2, fresh('twenty-2', twenty)))).toEqual(alone);
  });

  it('do so frozen in part, with clipped gradients, mixed images, weighted classes and rounded sums', async () => {
    const options = `${four} --weights ${out('one')} --freeze stem --layer-decay 0.7 --clip-norm 0.2 --mixup 0.3 --class-weights balanced --reduce bfloat16`;
    const alone = await contentsOf(await trained('much', 1, fresh('much', options)));
    expect(await contentsOf(await trained('much-3', 3, fresh('much-3', options)))).toEqual(alone);
  });
});

describe('synchronised batch normalisation', () => {
  it('in two processes is that of one process with both batches, to rounding', async () => {
    // Dropout draws for each replica. After few steps, since what is rounded otherwise grows from step to step.
    const without = writeNetwork(join(work, 'without-dropout.json'), { keep: 1 });
    const of = (run: string, options: string) =>
      fresh(run, `--epochs 1 ${options}`).map((arg) => (arg === network ? without : arg));
    const one = await trained('batch-8', 1, of('batch-8', '--batch 8'));
    const synchronised = of('batch-4', '--batch 4 --replicas 2 --batch-norm synchronised');
    const two = await trained('batch-4', 2, synchronised);
    const [last] = checkpointsOf(one).slice(-1);
    expect(checkpointsOf(two).at(-1)).toBe(last);
    const both = [one, two].map((run) => numbersIn(join(run, 'checkpoints', last as string)));
    const [expected, found] = (await Promise.all(both)) as [
      Awaited<(typeof both)[0]>,
      Awaited<(typeof both)[0]>,
    ];
    for (const [name, values] of expected) {
      if (name === 'randomState') continue;
      const largest = Math.max(...values.map(Math.abs));
      const theirs = found.get(name) as readonly number[];
      const difference = Math.max(
        ...values.map((value, index) => Math.abs(value - (theirs[index] as number))),
      );
      expect(difference / largest, name).toBeLessThan(1e-4);
    }
  });
});

describe('a training that is stopped', () => {
  const long = '--replicas 4 --batch 2 --epochs 12 --evaluate-every 6';

  it('by a signal to one process saves once, ends everywhere, and is the same when another number of processes goes on', async () => {
    const whole = await contentsOf(await trained('whole', 1, fresh('whole', long)));
    const group = await inceptionGroup(2, fresh('stopped', long));
    const [first, second] = group as [Running, Running];
    await first.until(/step \d/);
    second.child.kill('SIGTERM');
    const [one, other] = (await allEnded(group)) as [Ended, Ended];
    expect([one.code, other.code]).toEqual([1, 143]);
    expect(one.stderr).toMatch(/stopped after step \d+; 'inception train --resume --out \S+' continues\n$/);
    expect(other.stderr).toMatch(/SIGTERM: saving a checkpoint after this step/);
    const step = Number(/stopped after step (\d+)/.exec(one.stderr)?.[1]);
    expect(checkpointsOf(out('stopped')).at(-1)).toBe(`${step}.safetensors`);
    const resumed = ['train', '--resume', '--out', out('stopped'), '--threads', '1', '--evaluate-every', '6'];
    expect(await contentsOf(await trained('stopped', 3, resumed))).toEqual(whole);
  });
});

describe('one process that has several replicas', () => {
  it('saves after the step in which a signal came', async () => {
    const alone = inception(fresh('alone', '--replicas 2 --batch 2 --epochs 5000'));
    await alone.until(/step \d/);
    alone.child.kill('SIGTERM');
    const { code, stderr } = await alone.ended;
    expect(code).toBe(143);
    const step = /stopped after step (\d+)/.exec(stderr)?.[1];
    expect(checkpointsOf(out('alone')).at(-1)).toBe(`${step}.safetensors`);
  });
});

describe('a second signal', () => {
  it('ends a process that waits for another one, at once', async () => {
    const group = await inceptionGroup(2, fresh('twice', '--replicas 2 --batch 2 --epochs 5000'));
    const [first, second] = group as [Running, Running];
    await first.until(/step \d/);
    second.child.kill('SIGSTOP');
    first.child.kill('SIGINT');
    await first.until(/SIGINT: saving a checkpoint after this step; repeat to stop without saving/);
    first.child.kill('SIGINT');
    const { code, stderr } = await first.ended;
    expect(code).toBe(130);
    expect(stderr).not.toContain('terminate called');
    second.child.kill('SIGCONT');
    expect((await second.ended).code).toBe(1);
  });
});

describe('a process that is lost', () => {
  const endless = '--replicas 3 --batch 2 --epochs 5000 --evaluate-every 5000 --save-every 2';
  const advice =
    'this process ends too, because a group is whole or none. The last checkpoint of a training is whole: start all processes again, with --resume';

  /** In the middle of a training; all but the lost one. */
  async function losing(
    run: string,
    { rank, by, options = '' }: { rank: number; by: NodeJS.Signals; options?: string },
  ) {
    const group = await inceptionGroup(3, fresh(run, `${endless} ${options}`));
    await group[0]?.until(/step \d/);
    await expect.poll(() => checkpointsOf(out(run)).length, { interval: 20 }).toBeGreaterThan(1);
    group[rank]?.child.kill(by);
    return { group, others: await allEnded(group.filter((_, index) => index !== rank)) };
  }

  it.each([1, 0])(
    'ends all others with its name, if rank %i was killed; the last checkpoint is whole',
    async (rank) => {
      const run = `without-${rank}`;
      const { others } = await losing(run, { rank, by: 'SIGKILL' });
      for (const { code, stderr } of others) {
        expect(code).toBe(1);
        expect(stderr.split('\n').at(-2)).toBe(
          `inception: rank ${rank} on host ${hostname()} is gone: its connection was closed; its own output may say why; ${advice}`,
        );
      }
      const last = checkpointsOf(out(run)).at(-1) as string;
      expect(Object.keys(await tensorsIn(join(out(run), 'checkpoints', last)))).toContain(
        'averages/logits/weight',
      );
    },
  );

  it('ends all others if it was silent for too long, and itself when it wakes', async () => {
    const { group, others } = await losing('silent', {
      rank: 1,
      by: 'SIGSTOP',
      options: '--peer-timeout 3s',
    });
    for (const { code, stderr } of others) {
      expect(code).toBe(1);
      expect(stderr).toContain(`inception: rank 1 on host ${hostname()} was silent for 3 s: `);
    }
    const woken = group[1] as Running;
    woken.child.kill('SIGCONT');
    const { code, stderr } = await woken.ended;
    expect(code).toBe(1);
    expect(stderr).toContain(`inception: this process, rank 1 on host ${hostname()}, was silent for 3 s: `);
  });

  it('is none if it was silent for less', async () => {
    const group = await inceptionGroup(2, fresh('patient', '--replicas 2 --batch 2 --epochs 1'));
    const [first, second] = group as [Running, Running];
    await first.until(/step \d/);
    second.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    second.child.kill('SIGCONT');
    expect(failures(await allEnded(group))).toEqual([]);
  });
});

const torchrun = process.env.TORCHRUN;

describe.skipIf(torchrun === undefined)('under the real torchrun (TORCHRUN names it)', () => {
  const launch = (args: readonly string[]) =>
    start(torchrun as string, [
      ...['--standalone', '--no-python', '--nproc-per-node', '2', '--max-restarts', '1'],
      ...[process.execPath, command, ...args],
    ]);

  it('goes on by itself after a process was killed', async () => {
    const training = launch(
      fresh('again', '--replicas 4 --batch 2 --epochs 60 --save-every 5 --evaluate-every 30'),
    );
    await expect
      .poll(() => existsSync(out('again')) && checkpointsOf(out('again')).length)
      .toBeGreaterThan(0);
    const { pid } = training.child;
    const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    process.kill(Number(workers.at(-1)), 'SIGKILL');
    const { code, stderr } = await training.ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/holds a run that was begun before: it is resumed[\s\S]*resumed after step \d+/);
  });

  it('leaves a run alone that another command has begun', async () => {
    await trained('other', 1, fresh('other', '--batch 8 --epochs 1'));
    const before = await contentsOf(out('other'));
    const { code, stderr } = await launch(fresh('other', '--batch 4 --epochs 2')).ended;
    expect(code).not.toBe(0);
    expect(
      stderr.match(/other already holds a run; continue it with --resume, or choose another folder\n/g),
    ).not.toBeNull();
    expect(stderr).not.toContain('it is resumed');
    expect(await contentsOf(out('other'))).toEqual(before);
  });
});

describe('processes that do not fit together', () => {
  const two = '--replicas 2 --batch 2 --epochs 1';
  const messages = (ended: readonly Ended[]) =>
    ended.map(({ code, stderr }) => [
      code,
      stderr.split('\n').filter((line) => line.startsWith('inception: ')),
    ]);
  const host = hostname();

  it('name the option that differs', async () => {
    const group = await inceptionGroup(2, (rank) =>
      fresh('differ', rank === 1 ? `${two} --clip-norm 3` : two),
    );
    const message = `inception: rank 1 (${host}) differs from rank 0 (${host}) in options.recipe.clipNorm: 3, expected not given; nothing was trained. Every process must be started with the same command, the same version and the same data`;
    expect(messages(await allEnded(group))).toEqual([
      [1, [message]],
      [1, [message]],
    ]);
    expect(existsSync(out('differ'))).toBe(false);
  });

  it('say what one of them failed of', async () => {
    const missing = join(work, 'missing');
    const group = await inceptionGroup(2, (rank) =>
      fresh('apart', two).map((arg) => (arg === data && rank === 1 ? missing : arg)),
    );
    const why = `${missing}: no such folder; --data takes 'fashion-mnist' or a folder of class folders`;
    expect(messages(await allEnded(group))).toEqual([
      [1, [`inception: rank 1 on host ${host} has failed: ${why}; this process ends too`]],
      [1, [`inception: ${why}`]],
    ]);
    expect(existsSync(out('apart'))).toBe(false);
  });
});

describe('images that processes share', () => {
  const sharedBy = async (args: (output: string) => readonly string[]) => {
    const results = [];
    for (const processes of [1, 2]) {
      const output = out(`rows-by-${processes}.csv`);
      rmSync(output, { force: true });
      const ended = await allEnded(await inceptionGroup(processes, args(output)));
      const rows = readFileSync(output, 'utf8').trim().split('\n').sort();
      results.push({ ended, rows });
    }
    return results as [
      { ended: readonly Ended[]; rows: string[] },
      { ended: readonly Ended[]; rows: string[] },
    ];
  };
  const validation = join(data, 'val');

  it('are evaluated to the same numbers, each once, without those that are broken', async () => {
    const model = await trained('judge', 1, fresh('judge', '--batch 8 --epochs 1'));
    const [alone, together] = await sharedBy((output) => [
      ...['evaluate', model, '--data', validation, '--threads', '1', '--json', '--predictions', output],
    ]);
    const numbers = ({ ended }: typeof alone) => {
      const { seconds: _, cropsPerSecond: __, ...rest } = JSON.parse(ended[0]?.stdout ?? '');
      return rest;
    };
    expect(together.ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(numbers(together)).toEqual(numbers(alone));
    expect(numbers(together).broken).toHaveLength(1);
    expect(together.rows).toEqual(alone.rows);
    expect(together.ended[1]?.stdout).toBe('');
    // What another number of processes has begun is continued.
    const output = out('rows-by-2.csv');
    const lines = readFileSync(output, 'utf8').split('\n');
    writeFileSync(output, `${lines.slice(0, 4).join('\n')}\n`);
    const continued = ['evaluate', model, '--data', validation, '--threads', '1', '--json'];
    const ended = await allEnded(
      await inceptionGroup(3, [...continued, '--predictions', output, '--resume']),
    );
    expect(failures(ended)).toEqual([]);
    expect(numbers({ ended, rows: [] }).top1Error).toBe(numbers(alone).top1Error);
    expect(readFileSync(output, 'utf8').trim().split('\n').sort()).toEqual(alone.rows);
  });

  it('are predicted to the same rows, and the first process ends as one alone does', async () => {
    const [alone, together] = await sharedBy((output) => [
      ...['predict', out('judge'), validation, '--threads', '1', '-o', output],
    ]);
    expect(alone.ended[0]?.code).toBe(1);
    expect(together.ended.map(({ code }) => code)).toEqual([1, 0]);
    expect(together.rows).toEqual(alone.rows);
    const said = ({ ended }: typeof alone) =>
      /: (\d+ images; 1 could not be decoded)/.exec(ended[0]?.stderr ?? '')?.[1];
    expect(said(together)).toBe(said(alone));
    expect(said(together)).toBeDefined();
  });
});
