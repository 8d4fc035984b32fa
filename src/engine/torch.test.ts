import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call, DType, Program, Step, StoreSpec } from '../compile/program.ts';
import { freeSlots } from '../compile/program-passes/finish/free-slots.ts';
import { addonPath, setupCommand } from './addon-path.mjs';
import type { Engine, LoadedProgram, Store } from './engine.ts';
import { EngineError, EngineUnavailableError } from './engine.ts';
import { checkExports } from './native.ts';
import { openTorch } from './torch.ts';

const call = (operator: string, args: Call['args'], to: number | null, extra: Partial<Call> = {}): Call => ({
  do: 'call',
  operator,
  args,
  to: to === null ? [null] : [to],
  layer: 'block/conv1',
  ...extra,
});

/** A program of these steps whose slots are freed after their last use. */
function program(
  steps: readonly Step[],
  inputs: Record<string, readonly number[]> = {},
  dtype: DType = 'float32',
): Program {
  return freeSlots({
    name: 'test',
    inputs: Object.entries(inputs).map(([name, shape]) => ({ name, dtype, shape })),
    outputs: steps.flatMap((step) => (step.do === 'output' ? [step.name] : [])),
    slots: 20,
    steps: steps,
  });
}

const input = (name: string, to: number): Step => ({ do: 'input', name, to });
const load = (name: string, to: number): Step => ({ do: 'load', name, to });
const output = (name: string, from: number): Step => ({ do: 'output', name, from });

const spec: StoreSpec = {
  tensors: [
    { name: 'flat', dtype: 'float32', shape: [12] },
    { name: 'ones', dtype: 'float32', shape: [2, 3], fill: 1 },
    { name: 'half', dtype: 'bfloat16', shape: [2], fill: 0.5 },
  ],
  // Two output channels, two input channels, kernel 1×3, channels-last.
  views: [{ name: 'weight', of: 'flat', shape: [2, 2, 1, 3], strides: [6, 1, 6, 2], offset: 0 }],
};

let engine: Engine;
let store: Store;

beforeAll(async () => {
  engine = openTorch({ device: 'cpu' });
  store = await engine.createStore(spec);
});
afterAll(() => engine.close());

const loaded = (...args: Parameters<typeof program>): Promise<LoadedProgram> =>
  engine.load(program(...args), store);

describe('the addon', () => {
  const exported: Record<string, unknown> = createRequire(import.meta.url)(addonPath());

  it('exports what is called here, and nothing else', () => {
    expect(checkExports(exported)).toBe(exported);
    for (const name of Object.keys(exported)) {
      const { [name]: _, ...others } = exported;
      expect(() => checkExports(others), name).toThrow(
        new EngineUnavailableError(
          `the native addon is of another version of this package: it has no ${name}; '${setupCommand}' builds it anew`,
        ),
      );
    }
  });
});

describe('a program', () => {
  it('calls operators with scalars, lists, defaults and named arguments', async () => {
    const add = await loaded(
      [
        input('x', 0),
        load('ones', 1),
        call('aten::add.Tensor', [{ slot: 0 }, { slot: 1 }], 2, { named: { alpha: 0.5 } }),
        call('aten::cat', [{ slots: [0, 2] }, 1], 3),
        call('aten::sum.dim_IntList', [{ slot: 3 }, [1], false], 4, {
          named: { dtype: { dtype: 'float32' } },
        }),
        output('joined', 3),
        output('sum', 4),
      ],
      { x: [2, 3] },
    );
    const result = await add.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(result.joined).toEqual({
      dtype: 'float32',
      shape: [2, 6],
      data: Float32Array.of(1, 2, 3, 1.5, 2.5, 3.5, 4, 5, 6, 4.5, 5.5, 6.5),
    });
    expect(result.sum?.data).toEqual(Float32Array.of(13.5, 31.5));
  });

  it('changes the store through operators that write into their first argument', async () => {
    await store.write('ones', new Float32Array(6).fill(1));
    const increment = await loaded([load('ones', 0), call('aten::add_.Scalar', [{ slot: 0 }, 2], null)]);
    await increment.run({});
    await increment.run({});
    expect((await store.read('ones')).data).toEqual(new Float32Array(6).fill(5));
  });

  it('loads what another program has stored, and names what has not been stored yet', async () => {
    const shared = await engine.createStore({ ...spec, computed: ['twice'] });
    const double = (length: number) =>
      engine.load(
        program(
          [
            input('x', 0),
            call('aten::mul.Scalar', [{ slot: 0 }, 2], 1),
            { do: 'store', name: 'twice', from: 1 },
          ],
          { x: [length] },
        ),
        shared,
      );
    const read = await engine.load(program([load('twice', 0), output('y', 0)]), shared);
    await expect(read.run({})).rejects.toThrow(
      "test: step 0 (twice): the store has no tensor 'twice' yet; run the program that computes it first",
    );
    const doubled = async (...values: number[]) => {
      await (await double(values.length)).run({ x: Float32Array.from(values) });
      return (await read.run({})).y?.data;
    };
    expect(await doubled(1, 2)).toEqual(Float32Array.of(2, 4));
    expect(await doubled(3, 4)).toEqual(Float32Array.of(6, 8));
    expect(await doubled(5)).toEqual(Float32Array.of(10));
    shared.release();
  });

  it('reports the microseconds of each step', async () => {
    const square = await loaded(
      [input('x', 0), call('aten::mm', [{ slot: 0 }, { slot: 0 }], 1), output('y', 1)],
      { x: [64, 64] },
    );
    const microseconds = await square.profile({ x: new Float32Array(64 * 64) });
    expect(microseconds).toHaveLength(square.program.steps.length);
    expect(Math.max(...microseconds)).toBeGreaterThan(0);
  });

  it.each<[string, Call, string]>([
    [
      'an operator that libtorch lacks',
      call('aten::convolute', [], 0),
      'step 0 (aten::convolute), layer block/conv1: this libtorch has no such operator',
    ],
    [
      'a missing argument',
      call('aten::relu', [], 0),
      "step 0 (aten::relu), layer block/conv1: argument 'self' is missing",
    ],
    [
      'an argument of another type',
      call('aten::ones', [[2], { dtype: 'float32' }, null, null, 3], 0),
      "argument 'pin_memory': expected",
    ],
    [
      'an unknown named argument',
      call('aten::ones', [[2]], 0, { named: { dtyp: 3 } }),
      'a named argument is unknown',
    ],
    ['too many arguments', call('aten::relu', [null, null], 0), 'expected at most 1 arguments, received 2'],
    [
      'too many results',
      call('aten::ones', [[2]], 0, { to: [0, 1] }),
      'expected at most 1 results, received 2',
    ],
  ])('is refused when it is loaded: %s', async (_, step, message) => {
    await expect(loaded([step])).rejects.toThrow(message);
    await expect(loaded([step])).rejects.toThrow(EngineError);
  });

  it('names the step, the layer and the shapes when an operator fails', async () => {
    const steps = [
      input('x', 0),
      input('y', 1),
      call('aten::mm', [{ slot: 0 }, { slot: 1 }], 2),
      output('z', 2),
    ];
    const multiply = await loaded(steps, { x: [2, 3], y: [2, 3] });
    await expect(multiply.run({ x: new Float32Array(6), y: new Float32Array(6) })).rejects.toThrow(
      /^test: step 2 \(aten::mm\), layer block\/conv1: (mm: )?mat1 and mat2 shapes cannot be multiplied.*; arguments \[2, 3\] float32, \[2, 3\] float32$/,
    );
    // The next run begins with empty slots.
    await expect(multiply.run({ x: new Float32Array(6), y: new Float32Array(6) })).rejects.toThrow('step 2');
  });

  it('reports running out of memory as an error', async () => {
    const huge = await loaded([call('aten::ones', [[2 ** 50]], 0), call('aten::relu', [{ slot: 0 }], null)]);
    await expect(huge.run({})).rejects.toThrow(
      /step 0 \(aten::ones\), layer block\/conv1: out of memory; use a smaller batch or input size/,
    );
  });

  it.each([
    [{}, "test: input 'x' is missing"],
    [
      { x: new Float32Array(5) },
      "test: input 'x': expected a Float32Array of 6 elements (float32 [2, 3]), received a Float32Array of 5",
    ],
    [{ x: new Uint8Array(6) }, 'received a Uint8Array of 6'],
    [{ x: new Float32Array(6), z: new Float32Array(1) }, "test: unknown input 'z'; the program takes x"],
  ])('refuses mismatched inputs', async (inputs, message) => {
    const identity = await loaded([input('x', 0), output('y', 0)], { x: [2, 3] });
    await expect(identity.run(inputs as Record<string, Float32Array>)).rejects.toThrow(message);
  });

  it('cannot run after it or its store is released', async () => {
    const localStore = await engine.createStore(spec);
    const first = await engine.load(program([load('ones', 0), output('y', 0)]), localStore);
    const second = await engine.load(program([load('ones', 0), output('y', 0)]), localStore);
    first.release();
    await expect(first.run({})).rejects.toThrow('test: this program has been released');
    const running = second.run({});
    localStore.release();
    // Running work finishes first.
    expect((await running).y?.shape).toEqual([2, 3]);
    await expect(second.run({})).rejects.toThrow('this store has been released; its tensors are gone');
    await expect(localStore.read('ones')).rejects.toThrow(EngineError);
  });
});

describe('a store', () => {
  it('reads a channels-last weight in C order of its shape', async () => {
    const values = Float32Array.from({ length: 12 }, (_, index) => index);
    await store.write('weight', values);
    expect((await store.read('weight')).data).toEqual(values);
    expect((await store.read('flat')).data).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
  });

  it('returns bfloat16 as its bits', async () => {
    expect((await store.read('half')).data).toEqual(Uint16Array.of(0x3f00, 0x3f00));
  });

  it('refuses unknown names and wrong sizes', async () => {
    await expect(store.write('wieght', new Float32Array(1))).rejects.toThrow(
      "the store has no tensor 'wieght'",
    );
    await expect(store.write('flat', new Float32Array(3))).rejects.toThrow(
      "store tensor 'flat': expected a Float32Array of 12 elements",
    );
  });

  it('continues the same random sequence from a restored state', async () => {
    const steps = [
      load('ones', 0),
      call('aten::bernoulli.p', [{ slot: 0 }, 0.5], 1, { named: { generator: { generator: 'store' } } }),
      output('y', 1),
    ];
    const draw = await loaded(steps);
    const many = async () => {
      const drawn: string[] = [];
      for (let index = 0; index < 8; index++) drawn.push(String((await draw.run({})).y?.data));
      return drawn.join(';');
    };
    await store.seed(5);
    const first = await many();
    const state = await store.randomState();
    const second = await many();
    await store.setRandomState(state);
    expect(await many()).toBe(second);
    await store.seed(5);
    expect(await many()).toBe(first);
    expect(second).not.toBe(first);
  });

  it('queues writes and reads after earlier runs', async () => {
    await store.write('ones', new Float32Array(6));
    const slow = await loaded([
      load('ones', 0),
      call('aten::ones', [[700, 700]], 1),
      call('aten::mm', [{ slot: 1 }, { slot: 1 }], 2),
      call('aten::mean', [{ slot: 2 }], 3),
      call('aten::add_.Tensor', [{ slot: 0 }, { slot: 3 }], null),
    ]);
    const runs = [slow.run({}), slow.run({})];
    const before = store.read('ones');
    const write = store.write('ones', new Float32Array(6));
    const after = store.read('ones');
    expect((await before).data[0]).toBeCloseTo(1400, 1);
    expect((await after).data[0]).toBe(0);
    await Promise.all([...runs, write]);
  });
});

describe('the engine', () => {
  it('tells how long a result had been there while this thread was busy', async () => {
    const short = await loaded([call('aten::ones', [[2, 2]], 0)]);
    const running = short.run({});
    const end = performance.now() + 1000;
    while (performance.now() < end);
    await running;
    const late = engine.lateMs;
    expect(late).toBeGreaterThan(100);
    // The least of some: another process may have this thread's processor for a while.
    const idle: number[] = [];
    for (let index = 0; index < 5; index++) {
      await short.run({});
      idle.push(engine.lateMs);
    }
    expect(Math.min(...idle)).toBeLessThan(late / 4);
  });

  it('leaves the event loop free during a long run', async () => {
    const steps: Step[] = [call('aten::ones', [[1500, 1500]], 0)];
    for (let index = 0; index < 6; index++)
      steps.push(call('aten::mm', [{ slot: index }, { slot: 0 }], index + 1));
    const long = await loaded(steps);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await Promise.all(Array.from({ length: 4 }, () => long.run({})));
    clearInterval(timer);
    // A loop that waits for each of the runs turns four times.
    expect(turns).toBeGreaterThan(20);
  });

  it('says what is missing when there is no CUDA device', () => {
    const open = () => openTorch({ device: 'cuda' });
    if (engine.facts.device === 'cpu' && openTorch().facts.device === 'cpu') {
      expect(open).toThrow(
        /device 'cuda': libtorch [\d.]+ finds no CUDA device; use --device cpu, or set LIBTORCH to a CUDA build/,
      );
    } else {
      expect(open).not.toThrow();
    }
  });

  it('refuses a number of threads that is none', () => {
    for (const threads of [0, -1, 1.5, 1025])
      expect(() => openTorch({ threads })).toThrow(
        `engine option 'threads': expected a whole number of at least 1 and at most 1024; received ${threads}`,
      );
  });

  it('refuses work after it is closed', async () => {
    const other = openTorch({ device: 'cpu', threads: 1 });
    expect(other.facts.threads).toBe(1);
    await other.close();
    await expect(other.createStore(spec)).rejects.toThrow('this engine has been closed');
  });

  it('finishes what is running before close resolves, and can be closed twice', async () => {
    const other = openTorch({ device: 'cpu' });
    const localStore = await other.createStore(spec);
    const steps: Step[] = [call('aten::ones', [[1200, 1200]], 0)];
    for (let index = 0; index < 6; index++)
      steps.push(call('aten::mm', [{ slot: index }, { slot: 0 }], index + 1));
    const long = await other.load(program(steps), localStore);
    const events: string[] = [];
    const run = long.run({}).then(() => events.push('run'));
    const read = localStore.read('ones').then(() => events.push('read'));
    const opened = other.createStore(spec).catch((error: Error) => events.push(error.message));
    await Promise.all([other.close(), other.close()]).then(() => events.push('closed'));
    await Promise.all([run, read, opened]);
    expect(events).toEqual(['run', 'read', 'this engine has been closed', 'closed']);
    await expect(long.run({})).rejects.toThrow('test: this program has been released');
    await expect(localStore.read('ones')).rejects.toThrow(
      'this store has been released; its tensors are gone',
    );
  });

  it('keeps no memory of released stores and programs', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const other = openTorch({ device: 'cpu', threads: 1 });
    const steps = Array.from({ length: 400 }, (_, index) => call('aten::ones', [[1]], index));
    const longProgram = freeSlots({ name: 'long', inputs: [], outputs: [], slots: 400, steps });
    const cycle = async () => {
      const localStore = await other.createStore(spec);
      const long = await other.load(longProgram, localStore);
      await long.run({});
      long.release();
      localStore.release();
    };
    const heapAfter = async (cycles: number) => {
      for (let index = 0; index < cycles; index++) await cycle();
      // Native memory is freed by finalisers, which run after the collection.
      for (let round = 0; round < 2; round++) {
        collectGarbage();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return process.memoryUsage().heapUsed / 1e6;
    };
    const before = await heapAfter(20);
    const after = await heapAfter(100);
    await other.close();
    // 100 programs of 400 steps are 20 MB.
    expect(after - before).toBeLessThan(2);
  });
});
