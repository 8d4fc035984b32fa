/**
 * Sums over processes, with real processes on this machine, which run the built package. Over 400 lines: all tests have the same groups of
 * processes, which are started and ended in one place.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endGroup, type GroupProcess, startGroup } from '../../test/group-processes.ts';
import { call, difference, s } from '../../test/operator-steps.ts';
import type { Program, Step, StoreSpec } from '../compile/program.ts';
import { freeSlots } from '../compile/program-passes/finish/free-slots.ts';
import type { HostTensor } from './engine.ts';
import { openTorch } from './torch.ts';
import { collectivesOf } from './torch-group.ts';

const { collectives, whyAlone } = openTorch({ device: 'cpu' }).facts;
const withGroups = describe.skipIf(!collectives);
if (!collectives) console.warn(`tests of collectives are skipped: ${whyAlone}`);

const replicas = 6;
/** Not a multiple of what the parts are cut by, and none of it for the last of three processes in the second bucket. */
const buckets = [10_007, 5] as const;
const length = buckets[0] + buckets[1];

/** Numbers of many magnitudes, whose sum depends on the order; also zeros of both signs and a denormal. */
const gradientsOf = (replica: number): Float32Array =>
  Float32Array.from({ length }, (_, index) => {
    if (index % 101 === 0) return -0;
    if (index % 103 === 0) return 1e-40;
    const random = Math.sin((replica + 1) * 12.9898 + index * 78.233) * 43758.5453;
    return (random - Math.floor(random) - 0.5) * 10 ** ((index + replica) % 7);
  });

const spec: StoreSpec = {
  tensors: [
    { name: 'sums', dtype: 'float32', shape: [length] },
    { name: 'values', dtype: 'float32', shape: [length] },
  ],
  views: buckets.flatMap((size, bucket) =>
    ['sums', 'values'].map((of) => ({
      name: `${of}${bucket}`,
      of,
      shape: [size],
      strides: [1],
      offset: bucket === 0 ? 0 : buckets[0],
    })),
  ),
};

/** One round: adds `values` to `sums`; the last also shares the mean. */
function round({
  rounded,
  last,
  into = 'sums',
}: {
  rounded: boolean;
  last: boolean;
  into?: 'sums' | 'values';
}): Program {
  const slots = (bucket: number) => [s(2 * bucket), s(2 * bucket + 1)] as const;
  const each = (steps: (bucket: number) => Step[]) => buckets.flatMap((_, bucket) => steps(bucket));
  return freeSlots({
    name: 'round',
    inputs: [],
    outputs: [],
    slots: 4,
    steps: [
      ...each((bucket) => [
        { do: 'load', name: `${into}${bucket}`, to: 2 * bucket },
        { do: 'load', name: `values${bucket}`, to: 2 * bucket + 1 },
      ]),
      ...each((bucket) => [call('inception::accumulate_', [...slots(bucket), bucket, rounded], [null])]),
      ...(last
        ? each((bucket) => [call('inception::share_', [slots(bucket)[0], bucket, replicas, rounded], [null])])
        : []),
      ...each((bucket) => [call('inception::wait_', [...slots(bucket), bucket], [null])]),
    ],
  });
}

/** The mean of all replicas' gradients, as every process has it. */
async function reduce(processes: readonly GroupProcess[], { rounded }: { rounded: boolean }) {
  const { length: size } = processes;
  return Promise.all(
    processes.map(async (process, rank) => {
      await process.call('createStore', spec);
      for (let replica = rank; replica < replicas; replica += size) {
        await process.call('write', 'values', gradientsOf(replica));
        await process.call('run', round({ rounded, last: replica + size >= replicas }), {});
      }
      return (await process.call('read', 'sums')) as Float32Array;
    }),
  );
}

const bitsOf = (values: Float32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

/** As the engine adds: without denormals. */
const flushed = (values: Float32Array) => values.map((value) => (Math.abs(value) < 1e-38 ? 0 : value));

/** To nearest, ties to even. */
function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  const all = bits[0] as number;
  bits[0] = (all + 0x7fff + ((all >>> 16) & 1)) & 0xffff_0000;
  return new Float32Array(bits.buffer)[0] as number;
}

withGroups('the mean over six replicas', () => {
  const groups = new Map<number, readonly GroupProcess[]>();
  beforeAll(async () => {
    for (const size of [1, 2, 3]) groups.set(size, await startGroup(size));
  });
  afterAll(async () => {
    for (const processes of groups.values()) await endGroup(processes);
  });

  it.each([{ rounded: false }, { rounded: true }])(
    'has the same bits in one, two and three processes: %j',
    async ({ rounded }) => {
      const exact = (value: number) => (rounded ? bfloat16(value) : value);
      const expected = new Float32Array(length);
      for (let replica = 0; replica < replicas; replica++) {
        flushed(gradientsOf(replica)).forEach((value, index) => {
          expected[index] = Math.fround((expected[index] as number) + exact(value));
        });
      }
      const share = Math.fround(1 / replicas);
      expected.forEach((value, index) => {
        expected[index] = exact(Math.fround(value * share));
      });
      for (const [size, processes] of groups) {
        const results = await reduce(processes, { rounded });
        results.forEach((result, rank) => {
          // NaN and infinities would be equal too.
          expect(result.every(Number.isFinite)).toBe(true);
          expect(bitsOf(result) === bitsOf(expected), `process ${rank} of ${size}`).toBe(true);
        });
      }
    },
  );

  it('may be written over the gradients, where each process has one replica', async () => {
    const processes = groups.get(3) as readonly GroupProcess[];
    const results = await Promise.all(
      processes.map(async (process, rank) => {
        await process.call('createStore', spec);
        await process.call('write', 'values', gradientsOf(rank));
        await process.call('run', round({ rounded: false, last: true, into: 'values' }), {});
        return (await process.call('read', 'values')) as Float32Array;
      }),
    );
    const gradients = [0, 1, 2].map((replica) => flushed(gradientsOf(replica)));
    const expected = new Float32Array(length).map((_, index) => {
      const sum = gradients.reduce((total, values) => Math.fround(total + (values[index] as number)), 0);
      return Math.fround(sum * Math.fround(1 / replicas));
    });
    for (const result of results) expect(bitsOf(result) === bitsOf(expected)).toBe(true);
  });

  it('counts what was sent and how long it took', async () => {
    const processes = groups.get(2) as readonly GroupProcess[];
    const [first] = processes as [GroupProcess];
    const before = await first.call('traffic');
    await reduce(processes, { rounded: false });
    const after = await first.call('traffic');
    // Three rounds send the other's half of each bucket, the last one also the own half; the second bucket is the first process's.
    const [half, rest] = [5008, 4999];
    expect(after.bytes - before.bytes).toBe(4 * (3 * rest + half + 5));
    expect(after.buckets.map(({ bucket }) => bucket)).toEqual([0, 1]);
    expect(after.busyMs).toBeGreaterThan(before.busyMs);
    expect(after.exposedMs).toBeGreaterThan(before.exposedMs);
  });

  it('is preceded by the same weights everywhere: those of the first process', async () => {
    const processes = groups.get(3) as readonly GroupProcess[];
    const sums = await Promise.all(
      processes.map(async (process, rank) => {
        await process.call('createStore', spec);
        await process.call('write', 'values', gradientsOf(rank));
        const before = await process.call('checksum', 'values');
        await process.call('broadcast', 'values');
        return { before, after: await process.call('checksum', 'values') };
      }),
    );
    expect(new Set(sums.map(({ before }) => before)).size).toBe(3);
    expect(new Set(sums.map(({ after }) => after))).toEqual(new Set([sums[0]?.before]));
  });

  it('refuses a bucket that is none', async () => {
    const [alone] = groups.get(1) as [GroupProcess];
    const steps: Step[] = [
      { do: 'load', name: 'sums0', to: 0 },
      { do: 'load', name: 'sums1', to: 1 },
    ];
    const program = (step: Step) =>
      freeSlots({ name: 'wrong', inputs: [], outputs: [], slots: 2, steps: [...steps, step] });
    await alone.call('createStore', spec);
    await expect(
      alone.call('run', program(call('inception::accumulate_', [s(0), s(1), 0, false], [null])), {}),
    ).rejects.toThrow(
      'wrong: step 2 (inception::accumulate_), layer test: values: expected 10007 contiguous float32 values, as many as sums, received Float [5]',
    );
    await expect(
      alone.call('run', program(call('inception::share_', [s(0), -1, 6, false], [null])), {}),
    ).rejects.toThrow('bucket: expected 0 to 1048575, received -1');
  });
});

withGroups('batch normalisation', () => {
  const channels = 3;
  const images = 4;
  const shape = [images, channels, 5, 7] as const;
  const count = images * channels * 35;
  const perImage = count / images;
  const wave = (salt: number) =>
    Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898 + salt) + (index % 3) * 40);

  /** Forward and backward; inputs are contiguous channels-first. */
  const program = (batch: number, synchronised: boolean): Program => {
    const flag = synchronised ? [true] : [];
    const names = ['y', 'dx', 'dgamma', 'dbeta'];
    const channelsLast = (from: number, to: number) =>
      call('aten::_to_copy', [s(from)], [to], {
        dtype: { dtype: 'float32' },
        memory_format: { memoryFormat: 'channelsLast' },
      });
    return freeSlots({
      name: 'synchronised',
      inputs: ['x', 'gradient'].map((name) => ({
        name,
        dtype: 'float32' as const,
        shape: [batch, ...shape.slice(1)],
      })),
      outputs: names,
      slots: 20,
      steps: [
        { do: 'input', name: 'x', to: 0 },
        { do: 'input', name: 'gradient', to: 1 },
        ...['gamma', 'beta', 'mean', 'variance'].map(
          (name, index) => ({ do: 'load', name, to: 2 + index }) as const,
        ),
        channelsLast(0, 6),
        channelsLast(1, 7),
        call('inception::batch_norm_relu', [s(6), s(2), s(3), s(4), s(5), 0.1, 0.001, ...flag], [8, 9, 10]),
        call(
          'inception::batch_norm_relu_backward',
          [s(7), s(6), s(2), s(3), s(9), s(10), ...flag],
          [11, 12, 13],
        ),
        ...[8, 11, 12, 13].map(
          (from, index) => ({ do: 'output', name: names[index] as string, from }) as const,
        ),
      ],
    });
  };
  const normSpec: StoreSpec = {
    tensors: [
      { name: 'gamma', dtype: 'float32', shape: [channels], fill: 1.5 },
      { name: 'beta', dtype: 'float32', shape: [channels], fill: 0.3 },
      { name: 'mean', dtype: 'float32', shape: [channels] },
      { name: 'variance', dtype: 'float32', shape: [channels], fill: 1 },
    ],
    views: [],
  };
  const tensor = (data: Float32Array): HostTensor => ({ dtype: 'float32', shape: [data.length], data });
  const joined = (parts: readonly Float32Array[]) =>
    tensor(Float32Array.from(parts.flatMap((part) => [...part])));
  const meanOf = ([first, second]: readonly [Float32Array, Float32Array]) =>
    tensor(first.map((value, index) => (value + (second[index] as number)) / 2));

  it('over two processes equals that of one with all images, forward and backward', async () => {
    const [x, gradient] = [wave(1), wave(2).map((value) => value - 40)];
    const [alone] = (await startGroup(1)) as [GroupProcess];
    await alone.call('createStore', normSpec);
    const expected = await alone.call('run', program(images, false), { x, gradient });
    const twice = tensor(((expected.dx as HostTensor).data as Float32Array).map((value) => 2 * value));
    const again = await alone.call('run', program(images, true), { x, gradient });
    expect(again, 'a group of one keeps every bit').toEqual(expected);
    await alone.call('createStore', normSpec);
    await alone.call('run', program(images, false), { x, gradient });
    const statistics = await Promise.all(['mean', 'variance'].map((name) => alone.call('read', name)));

    // Three images and one: processes may have different numbers of rows.
    for (const cuts of [
      [2, 4],
      [3, 4],
    ]) {
      const group = await startGroup(2);
      const parts = await Promise.all(
        group.map(async (process, rank) => {
          const [from, to] = [rank === 0 ? 0 : (cuts[0] as number), cuts[rank] as number];
          const cut = (values: Float32Array) => values.slice(from * perImage, to * perImage);
          await process.call('createStore', normSpec);
          // Each has the gradient of the mean loss over its own images, which is twice that over all.
          const own = { x: cut(x), gradient: cut(gradient).map((value) => 2 * value) };
          const result = await process.call('run', program(to - from, true), own);
          const moving = await Promise.all(['mean', 'variance'].map((name) => process.call('read', name)));
          return { result, moving };
        }),
      );
      const all = (name: string) =>
        parts.map(({ result }) => result[name]?.data) as [Float32Array, Float32Array];
      expect(difference(joined(all('y')), expected.y)).toBeLessThan(1e-6);
      expect(difference(joined(all('dx')), twice)).toBeLessThan(1e-6);
      expect(difference(meanOf(all('dgamma')), expected.dgamma)).toBeLessThan(1e-6);
      expect(difference(meanOf(all('dbeta')), expected.dbeta)).toBeLessThan(1e-6);
      for (const { moving } of parts) {
        moving.forEach((values, index) => {
          const other = tensor(statistics[index] as Float32Array);
          expect(difference(tensor(values as Float32Array), other)).toBeLessThan(1e-6);
        });
      }
      await endGroup(group);
    }
    await endGroup([alone]);
  });
});

withGroups('a group', () => {
  let processes: readonly GroupProcess[] = [];
  afterEach(async () => {
    await endGroup(processes);
    processes = [];
  });

  /** All but the first begin a round; its result there, by rank. */
  const waiting = async () => {
    const others = processes.slice(1);
    await Promise.all(others.map((process) => process.call('createStore', spec)));
    return others.map((process) => {
      const begin = Date.now();
      return process.call('run', round({ rounded: false, last: true }), {}).then(
        () => ({ message: 'no error', ms: Date.now() - begin }),
        (error: Error) => ({ message: error.message, ms: Date.now() - begin }),
      );
    });
  };

  it('notices that a process was killed, and keeps saying so', async () => {
    processes = await startGroup(3);
    const [first, second] = processes as [GroupProcess, GroupProcess];
    const results = await waiting();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begin = Date.now();
    first.child.kill('SIGKILL');
    for (const { message } of await Promise.all(results)) {
      expect(message).toMatch(
        /^GroupError: round: step \d+ \(inception::wait_\), layer test: the group has lost process [012] of 3: \S.*; arguments/,
      );
    }
    expect(Date.now() - begin).toBeLessThan(2000);
    await expect(second.call('run', round({ rounded: false, last: true }), {})).rejects.toThrow(
      /^GroupError: round: step \d+ \(inception::accumulate_\), .*the group has lost process/,
    );
    await expect(second.call('broadcast', 'values')).rejects.toThrow(
      /^GroupError: the group has lost process/,
    );
    // No error of a connection that is lost is thrown where nobody can catch it.
    for (const process of processes.slice(1)) {
      process.call('exit', 7).catch(() => {});
      expect(await process.exited).toBe(7);
    }
  });

  it('stops waiting when it is aborted, and says why', async () => {
    processes = await startGroup(2);
    const [, second] = processes as [GroupProcess, GroupProcess];
    const [result] = await waiting();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await second.call('abort', 'process 0 on node-7 went silent');
    expect((await result)?.message).toMatch(
      /^GroupError: round: step \d+ \(inception::wait_\), layer test: the group was aborted: process 0 on node-7 went silent; arguments/,
    );
    expect((await result)?.ms).toBeLessThan(2000);
    // It can go on alone.
    await second.call('leave');
    await second.call('run', round({ rounded: false, last: true }), {});
  });

  it('lets a process end while it waits', async () => {
    processes = await startGroup(2);
    const [, second] = processes as [GroupProcess, GroupProcess];
    const results = await waiting();
    await new Promise((resolve) => setTimeout(resolve, 100));
    second.call('exit', 7).catch(() => {});
    expect(await second.exited).toBe(7);
    await Promise.all(results);
  });

  it('can be left and joined again', async () => {
    processes = await startGroup(2);
    await Promise.all(processes.map((process) => process.call('leave')));
    const [first] = processes as [GroupProcess];
    const port = await first.call('serveStore');
    await Promise.all(
      processes.map((process, rank) =>
        process.call('join', {
          rank,
          size: 2,
          host: '127.0.0.1',
          port,
          address: '127.0.0.1',
          interface: 'lo',
        }),
      ),
    );
    await expect(
      first.call('join', { rank: 0, size: 2, host: '127.0.0.1', port, address: '127.0.0.1' }),
    ).rejects.toThrow('EngineError: this engine has joined a group already; leave it first');
  });

  it('that is not complete can be given up', async () => {
    processes = [...(await startGroup(1))];
    const [alone] = processes as [GroupProcess];
    const port = await alone.call('serveStore');
    const place = { rank: 0, size: 2, host: '127.0.0.1', port, address: '127.0.0.1' };
    const begin = Date.now();
    await expect(alone.call('join', { ...place, abortAfterMs: 300 })).rejects.toThrow(
      'GroupError: the group was aborted: The operation was aborted due to timeout',
    );
    expect(Date.now() - begin).toBeLessThan(5000);
    await expect(alone.call('join', { ...place, rank: 2 })).rejects.toThrow(
      "EngineError: group option 'rank': expected a whole number from 0 to 1, received 2",
    );
    await expect(alone.call('join', { ...place, host: '' })).rejects.toThrow(
      "EngineError: group option 'host': expected a name or an address, received ''",
    );
  });
});

describe('what carries tensors between processes', () => {
  it('is named, or what is missing is', () => {
    expect(collectivesOf('cpu', { gloo: true, nccl: false })).toEqual({ collectives: 'gloo' });
    expect(collectivesOf('cuda', { gloo: true, nccl: true })).toEqual({ collectives: 'nccl' });
    expect(collectivesOf('cpu', { gloo: false, nccl: false })).toEqual({
      collectives: undefined,
      whyAlone:
        "the native addon was built without Gloo: its headers were not found, or this libtorch has no c10d; on Debian and Ubuntu: apt-get install libgloo-dev, then 'npm run setup'",
    });
  });
});

describe('the checksum of a tensor', () => {
  it('is XXH64', async () => {
    const engine = openTorch({ device: 'cpu' });
    const expected = {
      a: 'd24ec4f1a98c6e5b',
      abc: '44bc2cf5ad770999',
      'Nobody inspects the spammish repetition': 'fbcea83c8a378bf1',
    };
    for (const [text, sum] of Object.entries(expected)) {
      const bytes = new TextEncoder().encode(text);
      const tensors = [{ name: 'text', dtype: 'uint8' as const, shape: [bytes.length] }];
      const store = await engine.createStore({ tensors, views: [] });
      await store.write('text', bytes);
      expect(await store.checksum('text'), text).toBe(sum);
      await expect(store.checksum('other')).rejects.toThrow("the store has no tensor 'other'");
    }
    await engine.close();
  });
});
