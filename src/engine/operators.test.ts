/** Native operators against libtorch's, each pair in one program. */
import { describe, expect, it } from 'vitest';
import { call, difference, instructionSets, s, withLoops } from '../../test/operator-steps.ts';
import type { Step } from '../compile/program.ts';
import { freeSlots } from '../compile/program-passes/finish/free-slots.ts';
import type { Engine } from './engine.ts';

let engine: Engine;
const use = (opened: Engine) => {
  engine = opened;
};

/** Values that are neither centred nor uniform: a mean of 3 and a few outliers. */
const values = (length: number, salt: number) =>
  Float32Array.from(
    { length },
    (_, index) => 3 + Math.sin(index * 12.9898 + salt) * 2 + (index % 97 === 0 ? 5 : 0),
  );

type Shape = readonly [n: number, c: number, h: number, w: number];

/**
 * Runs both implementations: native in slots from 20, libtorch in slots from 40. `slice` reads input and gradient from slices
 * of wider tensors, writes the result into a slice of one, and the input's gradient over the input.
 */
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
    again: [30, 21],
    dx: [24, 44],
    dgamma: [11, 45],
    dbeta: [12, 46],
    mean: [22, 42],
    inverse: [23, 43],
  } as const;
  let next = 60;
  for (const [name, pair] of Object.entries(pairs)) {
    pair.forEach((slot, index) => {
      outputs.push(call('aten::_to_copy', [s(slot)], [next], { dtype: { dtype: 'float32' } }));
      outputs.push({ do: 'output', name: `${name}${index}`, from: next++ });
    });
  }
  const forward = [s(2), s(5), s(6), s(7), s(8), 0.1, 0.001];
  const again = [s(2), s(5), s(6), s(22), s(23)];
  const steps: Step[] = [
    { do: 'input', name: 'x', to: 0 },
    { do: 'input', name: 'gradient', to: 1 },
    channelsLast(0, 14),
    channelsLast(1, 3),
    call('aten::slice.Tensor', [s(14), 1, 0, c, 1], [2]),
    call('aten::slice.Tensor', [s(3), 1, 0, c, 1], [4]),
    call('aten::clone', [s(14)], [15]),
    call('aten::slice.Tensor', [s(15), 1, wide - c, wide, 1], [16]),
    ...['gamma', 'beta', 'mean', 'variance', 'mean2', 'variance2', 'dgamma', 'dbeta'].map(
      (name, index) => ({ do: 'load', name, to: 5 + index }) as const,
    ),
    ...(slice
      ? [
          call('inception::batch_norm_relu', forward, [null, 22, 23], { out: s(16) }),
          call('aten::clone', [s(16)], [21]),
          call('inception::batch_norm_relu_again', again, [null], { out: s(16) }),
          call('aten::clone', [s(16)], [30]),
        ]
      : [
          call('inception::batch_norm_relu', forward, [21, 22, 23]),
          call('inception::batch_norm_relu_again', again, [30]),
        ]),
    call('aten::native_batch_norm', [s(2), s(5), s(6), s(9), s(10), true, 0.1, 0.001], [41, 42, 43]),
    call('aten::relu', [s(41)], [47]),
    // The mask uses the native output, so that rounding near zero does not make the backward passes differ.
    call('aten::threshold_backward', [s(4), s(21), 0], [48]),
    call(
      'aten::native_batch_norm_backward',
      [s(48), s(2), s(5), s(9), s(10), s(42), s(43), true, 0.001, [true, true, true]],
      [44, 45, 46],
    ),
    call('inception::batch_norm_relu_backward', [s(4), s(2), s(5), s(6), s(22), s(23)], [24, null, null], {
      gamma_out: s(11),
      beta_out: s(12),
      ...(slice && { out: s(2) }),
    }),
    ...outputs,
  ];
  const program = freeSlots({
    name: 'compare',
    inputs: [
      { name: 'x', dtype: 'float32', shape: [n, wide, h, w] },
      { name: 'gradient', dtype: 'float32', shape: [n, wide, h, w] },
    ],
    outputs: outputs.flatMap((step) => (step.do === 'output' ? [step.name] : [])),
    slots: 100,
    steps: steps,
  });
  const tensor = (name: string) => ({ name, dtype: 'float32' as const, shape: [c], fill: 1 });
  const store = await engine.createStore({
    tensors: ['gamma', 'beta', 'mean', 'variance', 'mean2', 'variance2', 'dgamma', 'dbeta'].map(tensor),
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
    x: values(n * wide * h * w, 3),
    gradient: values(n * wide * h * w, 4).map((value) => value - 3),
  });
  const statistics = await Promise.all(
    ['mean', 'mean2', 'variance', 'variance2'].map((name) => store.read(name)),
  );
  store.release();
  return { result, statistics };
}

describe.each(instructionSets)('inception::batch_norm_relu, %s loops', (instructionSet) => {
  withLoops(instructionSet, use);
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
  )('equals batch normalisation and ReLU, forward and backward: %j %j', async (shape, options) => {
    const { result, statistics } = await compare(shape, options);
    // bfloat16 has 8 significant bits: two roundings may differ in the last one, and libtorch rounds a gradient twice.
    const tolerance = options.bfloat16 ? 2 ** -6 : 2e-5;
    for (const name of ['y', 'dx'])
      expect(difference(result[`${name}0`], result[`${name}1`]), name).toBeLessThan(tolerance);
    // With two values per channel, their difference is pure rounding error.
    for (const name of ['dgamma', 'dbeta', 'mean', 'inverse']) {
      expect(difference(result[`${name}0`], result[`${name}1`]), name).toBeLessThan(
        options.bfloat16 ? 5e-3 : 2e-5,
      );
    }
    // A recomputed result must be identical.
    expect(result.again0?.data).toEqual(result.again1?.data);
    const [mean, mean2, variance, variance2] = statistics;
    expect(difference(mean, mean2)).toBeLessThan(1e-6);
    expect(difference(variance, variance2)).toBeLessThan(1e-5);
  });

  it('uses a gamma of one where the network has none', async () => {
    const [n, c, h, w] = [2, 20, 3, 3];
    const names = ['ones', 'beta', 'mean', 'variance', 'mean2', 'variance2'];
    const store = await engine.createStore({
      tensors: names.map((name) => ({ name, dtype: 'float32', shape: [c], fill: 1 })),
      views: [],
    });
    const program = freeSlots({
      name: 'without gamma',
      inputs: [{ name: 'x', dtype: 'float32', shape: [n, c, h, w] }],
      outputs: ['with', 'without'],
      slots: 20,
      steps: [
        { do: 'input', name: 'x', to: 0 },
        ...names.map((name, index) => ({ do: 'load', name, to: 1 + index }) as const),
        call('inception::batch_norm_relu', [s(0), s(1), s(2), s(3), s(4), 0.1, 0.001], [10, null, null]),
        call('inception::batch_norm_relu', [s(0), null, s(2), s(5), s(6), 0.1, 0.001], [11, null, null]),
        { do: 'output', name: 'with', from: 10 },
        { do: 'output', name: 'without', from: 11 },
      ],
    });
    const result = await (await engine.load(program, store)).run({ x: values(n * c * h * w, 9) });
    expect(result.without?.data).toEqual(result.with?.data);
    expect(new Set(result.with?.data as Float32Array).size).toBeGreaterThan(50);
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
    const program = freeSlots({
      name: 'wrong',
      inputs: [{ name: 'x', dtype: 'int64', shape: [1, 2, 1, 1] }],
      outputs: [],
      slots: 3,
      steps: steps,
    });
    const loaded = await engine.load(program, store);
    await expect(loaded.run({ x: new BigInt64Array(2) })).rejects.toThrow(
      /wrong: step 2 \(inception::batch_norm_relu\), layer test: expected float32 or bfloat16, received Long/,
    );
  });
});

describe.each(instructionSets)('inception::scaled_add, %s loops', (instructionSet) => {
  withLoops(instructionSet, use);
  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [false, false, true],
  ])(
    'equals sum and ReLU (%s), backward from two gradients (%s), in bfloat16 (%s)',
    async (relu, hasSecond, half) => {
      const dtype = half ? ('bfloat16' as const) : ('float32' as const);
      const shape = [3, 21, 7, 5];
      const cast = (from: number, to: number) =>
        call('aten::_to_copy', [s(from)], [to], {
          dtype: { dtype },
          memory_format: { memoryFormat: 'channelsLast' },
        });
      const float = (from: number, to: number) =>
        call('aten::_to_copy', [s(from)], [to], { dtype: { dtype: 'float32' } });
      const names = ['x', 'branch', 'gradient', 'more'];
      // Into a new tensor and over an argument.
      const pairs = {
        ...{ y: [25, 21], sum: [27, 23], scaled: [28, 24] },
        ...{ yOver: [26, 21], sumOver: [30, 23], scaledOver: [31, 24] },
      };
      const outputs = Object.entries(pairs).flatMap(([name, pair]) =>
        pair.flatMap((from, index) => {
          const to = 50 + 2 * Object.keys(pairs).indexOf(name) + index;
          return [float(from, to), { do: 'output', name: `${name}${index}`, from: to } as const];
        }),
      );
      const steps: Step[] = [
        ...names.map((name, index) => ({ do: 'input', name, to: index }) as const),
        ...names.map((_, index) => cast(index, 10 + index)),
        call('aten::add.Tensor', [s(10), s(11)], [20], { alpha: 0.17 }),
        call('inception::scaled_add', [s(10), s(11), 0.17, relu], [25]),
        call('inception::scaled_add', [s(10), s(11), 0.17, relu], [26], { out: s(11) }),
        call(relu ? 'aten::relu' : 'aten::clone', [s(20)], [21]),
        hasSecond ? call('aten::add.Tensor', [s(12), s(13)], [22]) : call('aten::clone', [s(12)], [22]),
        relu ? call('aten::threshold_backward', [s(22), s(11), 0], [23]) : call('aten::clone', [s(22)], [23]),
        call('aten::mul.Scalar', [s(23), 0.17], [24]),
        call(
          'inception::scaled_add_backward',
          [s(12), hasSecond ? s(13) : null, relu ? s(11) : null, 0.17],
          [27, 28],
        ),
        call(
          'inception::scaled_add_backward',
          [s(12), hasSecond ? s(13) : null, relu ? s(11) : null, 0.17],
          [30, 31],
          { out: s(12), ...(hasSecond && { scaled_out: s(13) }) },
        ),
        ...outputs,
      ];
      const store = await engine.createStore({ tensors: [], views: [] });
      const program = freeSlots({
        name: 'sum',
        inputs: names.map((name) => ({ name, dtype: 'float32', shape })),
        outputs: outputs.flatMap((step) => (step.do === 'output' ? [step.name] : [])),
        slots: 80,
        steps: steps,
      });
      const arrays = names.map(
        (name, salt) => [name, values(3 * 21 * 7 * 5, salt).map((value) => value - 3)] as const,
      );
      const result = await (await engine.load(program, store)).run(Object.fromEntries(arrays));
      for (const name of Object.keys(pairs)) {
        expect(difference(result[`${name}0`], result[`${name}1`]), name).toBeLessThan(half ? 2 ** -7 : 1e-6);
      }
      expect(result.y0?.data.some((value) => value === 0)).toBe(relu);
    },
  );
});

describe('native operators', () => {
  withLoops(instructionSets[0] as string, use);
  const [x, gamma] = [s(0), s(1)];
  it.each<[operator: string, args: Parameters<typeof call>[1], results: number]>([
    ['inception::batch_norm_relu', [x, gamma, gamma, gamma, gamma, 0.1, 0.001], 3],
    ['inception::batch_norm_relu_again', [x, gamma, gamma, gamma, gamma], 1],
    ['inception::batch_norm_relu_backward', [x, x, gamma, gamma, gamma, gamma], 3],
    ['inception::scaled_add', [x, x, 0.5, true], 1],
    ['inception::scaled_add_backward', [x, null, null, 0.5], 2],
  ])('%s refuses a tensor without values', async (operator, args, results) => {
    const program = freeSlots({
      name: 'empty',
      inputs: [
        { name: 'x', dtype: 'float32', shape: [0, 4, 2, 2] },
        { name: 'gamma', dtype: 'float32', shape: [4] },
      ],
      outputs: [],
      slots: 5,
      steps: [
        { do: 'input', name: 'x', to: 0 },
        { do: 'input', name: 'gamma', to: 1 },
        call(operator, args, [2, 3, 4].slice(0, results)),
      ],
    });
    const store = await engine.createStore({ tensors: [], views: [] });
    const loaded = await engine.load(program, store);
    await expect(loaded.run({ x: new Float32Array(), gamma: Float32Array.of(1, 1, 1, 1) })).rejects.toThrow(
      /: expected at least one value, received a tensor of sizes \[0, 4, 2, 2\]/,
    );
  });
});
