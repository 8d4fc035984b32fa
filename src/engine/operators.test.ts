/** The operators of native/operators/ against libtorch's own, in one program each. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freeSlots } from '../compile/free-slots.ts';
import type { Argument, Call, Program, Step } from '../compile/program.ts';
import type { Engine, HostTensor } from './engine.ts';
import { openTorch } from './torch.ts';

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

const call = (operator: string, args: Call['args'], to: Call['to'], named?: Call['named']): Step => ({
  do: 'call',
  operator,
  args,
  to,
  layer: 'test',
  ...(named && { named }),
});
const s = (slot: number): Argument => ({ slot });

/** Values that are neither centred nor even: a mean of 3 and a few large ones. */
const values = (length: number, salt: number) =>
  Float32Array.from({ length }, (_, at) => 3 + Math.sin(at * 12.9898 + salt) * 2 + (at % 97 === 0 ? 5 : 0));

type Shape = readonly [n: number, c: number, h: number, w: number];

/** Both ways in one run: ours in slots from 20, libtorch's from 40. `slice` takes the gradient out of a wider tensor. */
async function compare([n, c, h, w]: Shape, { bfloat16, slice }: { bfloat16: boolean; slice: boolean }) {
  const dtype = bfloat16 ? ('bfloat16' as const) : ('float32' as const);
  const channelsLast = (from: number, to: number) =>
    call('aten::_to_copy', [s(from)], [to], {
      dtype: { dtype },
      memory_format: { memoryFormat: 'channelsLast' },
    });
  const wide = slice ? c + 8 : c;
  const outputs: Step[] = [];
  const pairs = {
    y: [21, 47],
    dx: [24, 44],
    dgamma: [25, 45],
    dbeta: [26, 46],
    mean: [22, 42],
    inverse: [23, 43],
  } as const;
  let next = 60;
  for (const [name, both] of Object.entries(pairs)) {
    both.forEach((slot, index) => {
      outputs.push(call('aten::_to_copy', [s(slot)], [next], { dtype: { dtype: 'float32' } }));
      outputs.push({ do: 'output', name: `${name}${index}`, from: next++ });
    });
  }
  const steps: Step[] = [
    { do: 'input', name: 'x', to: 0 },
    { do: 'input', name: 'gradient', to: 1 },
    channelsLast(0, 2),
    channelsLast(1, 3),
    call('aten::slice.Tensor', [s(3), 1, 0, c, 1], [4]),
    ...['gamma', 'beta', 'mean', 'variance', 'mean2', 'variance2'].map(
      (name, index) => ({ do: 'load', name, to: 5 + index }) as const,
    ),
    call('inception::batch_norm_relu', [s(2), s(5), s(6), s(7), s(8), 0.1, 0.001], [21, 22, 23]),
    call('inception::batch_norm_relu_backward', [s(4), s(2), s(21), s(5), s(22), s(23)], [24, 25, 26]),
    call('aten::native_batch_norm', [s(2), s(5), s(6), s(9), s(10), true, 0.1, 0.001], [41, 42, 43]),
    call('aten::relu', [s(41)], [47]),
    // ReLU decides by our output, so that a rounding at zero is no difference of the backward passes.
    call('aten::threshold_backward', [s(4), s(21), 0], [48]),
    call(
      'aten::native_batch_norm_backward',
      [s(48), s(2), s(5), s(9), s(10), s(42), s(43), true, 0.001, [true, true, true]],
      [44, 45, 46],
    ),
    ...outputs,
  ];
  const program: Program = {
    name: 'compare',
    inputs: [
      { name: 'x', dtype: 'float32', shape: [n, c, h, w] },
      { name: 'gradient', dtype: 'float32', shape: [n, wide, h, w] },
    ],
    outputs: outputs.flatMap((step) => (step.do === 'output' ? [step.name] : [])),
    slots: 100,
    steps: freeSlots(steps),
  };
  const tensor = (name: string) => ({ name, dtype: 'float32' as const, shape: [c], fill: 1 });
  const store = await engine.createStore({
    tensors: ['gamma', 'beta', 'mean', 'variance', 'mean2', 'variance2'].map(tensor),
    views: [],
  });
  await store.write(
    'gamma',
    values(c, 1).map((value) => value / 3),
  );
  await store.write(
    'beta',
    values(c, 2).map((value) => value - 3),
  );
  const result = await (await engine.load(program, store)).run({
    x: values(n * c * h * w, 3),
    gradient: values(n * wide * h * w, 4).map((value) => value - 3),
  });
  const statistics = await Promise.all(
    ['mean', 'mean2', 'variance', 'variance2'].map((name) => store.read(name)),
  );
  store.release();
  return { result, statistics };
}

/** Largest difference, relative to the largest value. */
function difference(one: HostTensor | undefined, other: HostTensor | undefined): number {
  const [a, b] = [one?.data as Float32Array, other?.data as Float32Array];
  let [worst, largest] = [0, 0];
  a.forEach((value, index) => {
    worst = Math.max(worst, Math.abs(value - (b[index] as number)));
    largest = Math.max(largest, Math.abs(b[index] as number));
  });
  return worst / largest;
}

describe('inception::batch_norm_relu', () => {
  const shapes: Shape[] = [
    [4, 8, 9, 9],
    [2, 48, 17, 13],
    [3, 100, 5, 5],
    [2, 33, 1, 7],
    [5, 7, 3, 1],
    [2, 1536, 1, 1],
    [1, 16, 40, 40],
  ];
  it.each(
    shapes.flatMap((shape) =>
      [false, true].flatMap((bfloat16) =>
        [false, true].map((slice) => [shape, { bfloat16, slice }] as const),
      ),
    ),
  )('equals batch normalisation and ReLU, forward and backward: %j %j', async (shape, how) => {
    const { result, statistics } = await compare(shape, how);
    // bfloat16 has 8 bits: two roundings of a value may differ by its last.
    const within = how.bfloat16 ? 2 ** -7 : 2e-5;
    for (const name of ['y', 'dx'])
      expect(difference(result[`${name}0`], result[`${name}1`]), name).toBeLessThan(within);
    // With two values for each channel, their difference is nothing but rounding.
    for (const name of ['dgamma', 'dbeta', 'mean', 'inverse']) {
      expect(difference(result[`${name}0`], result[`${name}1`]), name).toBeLessThan(
        how.bfloat16 ? 5e-3 : 2e-5,
      );
    }
    const [mean, mean2, variance, variance2] = statistics;
    expect(difference(mean, mean2)).toBeLessThan(1e-6);
    expect(difference(variance, variance2)).toBeLessThan(1e-5);
  });

  it('names the step when a type does not fit', async () => {
    const store = await engine.createStore({
      tensors: [{ name: 'c', dtype: 'float32', shape: [2] }],
      views: [],
    });
    const steps = [
      { do: 'input', name: 'x', to: 0 } as const,
      { do: 'load', name: 'c', to: 1 } as const,
      call('inception::batch_norm_relu', [s(0), s(1), s(1), s(1), s(1), 0.1, 0.001], [2, null, null]),
    ];
    const program: Program = {
      name: 'wrong',
      inputs: [{ name: 'x', dtype: 'int64', shape: [1, 2, 1, 1] }],
      outputs: [],
      slots: 3,
      steps: freeSlots(steps),
    };
    const loaded = await engine.load(program, store);
    await expect(loaded.run({ x: new BigInt64Array(2) })).rejects.toThrow(
      /wrong: step 2 \(inception::batch_norm_relu\), layer test: expected float32 or bfloat16, received Long/,
    );
  });
});
