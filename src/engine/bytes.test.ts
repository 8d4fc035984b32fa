/** Operators on bytes, with every instruction set, against the same arithmetic written out here in float64 and rounded at the end. */
import { describe, expect, it } from 'vitest';
import { call, instructionSets, s, withLoops } from '../../test/operator-steps.ts';
import type { Argument, Step } from '../compile/program.ts';
import { freeSlots } from '../compile/program-passes/finish/free-slots.ts';
import type { Engine, HostArray, HostTensor } from './engine.ts';

let engine: Engine;
const use = (opened: Engine) => {
  engine = opened;
};

type Sizes = readonly [n: number, c: number, h: number, w: number];
const count = (sizes: readonly number[]) => sizes.reduce((product, size) => product * size, 1);

/** Runs steps over inputs in C order, in slots from 0, channels-last in slots from 10; returns a slot in C order. */
async function run(
  steps: readonly Step[],
  inputs: readonly {
    readonly dtype: 'uint8' | 'float32';
    readonly sizes: Sizes | [number];
    readonly data: HostArray;
  }[],
  returned: number,
): Promise<Uint8Array | Float32Array> {
  const program = freeSlots({
    name: 'test',
    inputs: inputs.map(({ dtype, sizes }, index) => ({ name: `x${index}`, dtype, shape: sizes })),
    outputs: ['y'],
    slots: 100,
    steps: [
      ...inputs.flatMap(({ sizes }, index): Step[] => [
        { do: 'input', name: `x${index}`, to: index },
        call('aten::clone', [s(index)], [10 + index], {
          memory_format: { memoryFormat: sizes.length === 4 ? 'channelsLast' : 'contiguous' },
        }),
      ]),
      ...steps,
      call('aten::contiguous', [s(returned)], [99]),
      { do: 'output', name: 'y', from: 99 },
    ],
  });
  const store = await engine.createStore({ tensors: [], views: [] });
  const loaded = await engine.load(program, store);
  const { y } = await loaded.run(Object.fromEntries(inputs.map(({ data }, index) => [`x${index}`, data])));
  store.release();
  return (y as HostTensor).data as Uint8Array | Float32Array;
}

const bytes = (sizes: Sizes, salt = 1) => ({
  dtype: 'uint8' as const,
  sizes,
  data: Uint8Array.from(
    { length: count(sizes) },
    (_, index) => (index * 37 + salt * 101 + (index >> 3)) % 256,
  ),
});

const toByte = (value: number, low = 0) => Math.min(Math.max(roundToEven(value), low), 255);
const roundToEven = (value: number) => {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

describe.each(instructionSets)('bytes with %s', (instructionSet) => {
  withLoops(instructionSet, use);
  const sizes: Sizes = [2, 19, 7, 6];
  const { data } = bytes(sizes);
  const at = (n: number, c: number, y: number, x: number) => data[((n * 19 + c) * 7 + y) * 6 + x] as number;

  it('quantises to the nearest step, ties to even, and cuts off outside', async () => {
    const values = Float32Array.of(-9, -1.25, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 63, 99, 100.1, 126);
    const input = { dtype: 'float32' as const, sizes: [1, 12, 1, 1] as Sizes, data: values };
    const received = await run([call('inception::quantise_bytes', [s(10), 0.5, 3], [20])], [input], 20);
    expect([...received]).toEqual([0, 1, 1, 3, 3, 3, 5, 5, 129, 201, 203, 255]);
    const back = await run(
      [
        call('inception::quantise_bytes', [s(10), 0.5, 3], [20]),
        call('inception::dequantise_bytes', [s(20), 0.5, 3], [21]),
      ],
      [input],
      21,
    );
    expect([...back]).toEqual([-1.5, -1, -1, 0, 0, 0, 1, 1, 63, 99, 100, 126]);
  });

  it('adds residuals in steps of the result, above the byte of zero', async () => {
    const second = bytes(sizes, 5);
    const args: Argument[] = [s(10), s(11), 0.375, 0.6875, 11.5, 40];
    const received = await run([call('inception::combine_bytes', args, [20])], [bytes(sizes), second], 20);
    const expected = data.map((value, index) =>
      toByte(value * 0.375 + (second.data[index] as number) * 0.6875 + 11.5, 40),
    );
    expect(received).toEqual(expected);
  });

  it.each([
    [[3, 3], 1, [1, 1], false],
    [[3, 3], 1, [1, 1], true],
    [[2, 3], 2, [0, 0], false],
  ] as const)('pools windows of %j', async (window, stride, padding, countPadding) => {
    const [height, width] = [7, 6].map((size, axis) =>
      Math.floor((size + 2 * (padding[axis] as number) - (window[axis] as number)) / stride + 1),
    ) as [number, number];
    const average: number[] = [];
    const maximum: number[] = [];
    const [factor, inputZero, outputZero] = [1.5, 20, 9];
    for (let row = 0; row < 2 * 19 * height * width; row++) {
      const [x, y] = [row % width, Math.floor(row / width) % height];
      const [c, n] = [Math.floor(row / width / height) % 19, Math.floor(row / width / height / 19)];
      const seen: number[] = [];
      for (let dy = 0; dy < window[0]; dy++)
        for (let dx = 0; dx < window[1]; dx++) {
          const [sy, sx] = [y * stride + dy - padding[0], x * stride + dx - padding[1]];
          if (sy >= 0 && sy < 7 && sx >= 0 && sx < 6) seen.push(at(n, c, sy, sx));
        }
      const sum = seen.reduce((total, value) => total + value - inputZero, 0);
      average.push((sum / (countPadding ? count(window) : seen.length)) * factor + outputZero);
      maximum.push(Math.max(...seen));
    }
    const averageArgs = [s(10), window, stride, padding, countPadding, factor, inputZero, outputZero, true];
    const averages = await run([call('inception::avg_pool_bytes', averageArgs, [20])], [bytes(sizes)], 20);
    // In float32 a tie may fall to either side.
    for (const [index, exact] of average.entries())
      expect(Math.abs((averages[index] as number) - Math.min(Math.max(exact, 9), 255))).toBeLessThanOrEqual(
        0.5001,
      );
    if (countPadding) return;
    const maxima = await run(
      [call('inception::max_pool_bytes', [s(10), window, stride, padding], [20])],
      [bytes(sizes)],
      20,
    );
    expect([...maxima]).toEqual(maximum);
  });

  it('joins slices and whole tensors', async () => {
    const steps = [
      call('aten::slice.Tensor', [s(10), 1, 3, 10, 1], [20]),
      call('inception::concat_bytes', [{ slots: [20, 11] }], [21]),
      call('aten::cat', [{ slots: [20, 11] }, 1], [22]),
      call('aten::eq.Tensor', [s(21), s(22)], [23]),
      call('aten::all', [s(23)], [24]),
    ];
    expect([...(await run(steps, [bytes(sizes), bytes(sizes, 4)], 24))].map(Number)).toEqual([1]);
  });
});

describe('an int8 convolution', () => {
  withLoops(instructionSets.at(-1) as string, use);
  const [filters, channels] = [5, 6];
  const input = bytes([2, channels, 7, 6]);
  const float = (sizes: Sizes | [number], salt: number, scale = 1) => ({
    dtype: 'float32' as const,
    sizes,
    data: Float32Array.from({ length: count(sizes) }, (_, index) => scale * Math.sin(index * 12.9898 + salt)),
  });
  const parameters = (window: number) => [
    float([filters, channels, window, window], 1),
    float([filters], 2, 40),
  ];
  const pack = (overload: '' | '.portable', { window = 3, padding = 1 } = {}) =>
    call(
      `inception::pack_convolution_int8${overload}`,
      [
        ...[s(11), s(12), 0.5, 3],
        ...[[2, channels, 7, 6], [1, 1], window === 1 ? [0, 0] : [padding, padding]],
      ],
      [20, 21, 22],
    );
  const twoParts: Argument[] = [
    [2, 4],
    [7, 1.5],
    [2, filters - 2],
  ];
  const convolve = (
    sum: Argument,
    { window = 3, relu = true, zero = 0, floats = false, output = twoParts } = {},
  ) =>
    call(
      'inception::convolution_int8',
      [
        ...[s(10), s(20), s(21), s(22), sum, 0.3, ...output, [1, 1]],
        ...[window === 1 ? [0, 0] : [1, 1], relu, zero, floats],
      ],
      [30],
    );

  it.each([
    { window: 1 },
    { window: 3 },
    { window: 3, relu: false },
    { window: 3, zero: 7 },
    { window: 3, floats: true },
    { window: 1, floats: true, relu: false },
  ])('is the same by oneDNN and by libtorch in float32: %j', async (options) => {
    const inputs = [input, ...parameters(options.window)];
    const [ours, portable] = [
      await run([pack('', options), convolve(null, options)], inputs, 30),
      await run([pack('.portable', options), convolve(null, options)], inputs, 30),
    ] as const;
    const differences = Array.from(ours, (value, index) => Math.abs(Number(value) - Number(portable[index])));
    // The float32 factor may be rounded before or after the bias is added.
    expect(Math.max(...differences)).toBeLessThanOrEqual(options.floats ? 1e-3 : 1);
    expect(differences.filter((each) => each > 1e-3).length).toBeLessThan(ours.length / 100);
    expect(new Set(Array.from(ours, Number)).size).toBeGreaterThan(20);
  });

  it('adds to a residual, in its place', async () => {
    const inputs = [input, ...parameters(3), bytes([2, filters, 7, 6], 9)];
    const [ours, portable] = [
      await run([pack(''), convolve(s(13))], inputs, 13),
      await run([pack('.portable'), convolve(s(13))], inputs, 13),
    ] as const;
    const differences = Array.from(ours, (value, index) => Math.abs(Number(value) - Number(portable[index])));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
    expect(differences.filter((each) => each > 0).length).toBeLessThan(ours.length / 100);
  });

  it.each([1, 3])(
    'does not saturate without VNNI: all bytes 255, all weights of window %d equal',
    async (window) => {
      const ones = new Float32Array(filters * channels * window * window).fill(1);
      const weights = {
        dtype: 'float32' as const,
        sizes: [filters, channels, window, window] as Sizes,
        data: ones,
      };
      const noBias = {
        dtype: 'float32' as const,
        sizes: [filters] as [number],
        data: new Float32Array(filters),
      };
      const full = { ...input, data: new Uint8Array(count(input.sizes)).fill(255) };
      const inputs = [full, weights, noBias];
      const packed = call(
        'inception::pack_convolution_int8',
        [...[s(11), s(12), 1, 0], ...[[2, channels, 7, 6], [1, 1], window === 1 ? [0, 0] : [1, 1]]],
        [20, 21, 22],
      );
      const received = await run(
        [packed, convolve(null, { window, floats: true, output: [[1], [0], [filters]] })],
        inputs,
        30,
      );
      const largest = Math.max(...Array.from(received, Number));
      // 63 or 64 steps of 2/127 each.
      expect(Math.abs(largest / (255 * channels * window * window) - 1)).toBeLessThan(0.01);
    },
  );

  it('refuses what was not packed, and a residual of a float32 result', async () => {
    const plain = { ...parameters(3)[0] } as ReturnType<typeof float>;
    const inputs = [input, plain, ...parameters(3).slice(1)];
    const unpacked = call(
      'inception::convolution_int8',
      [s(10), s(11), s(12), s(12), null, 1, [1], [0], [filters], [1, 1], [1, 1], true, 0, false],
      [30],
    );
    await expect(run([unpacked], inputs, 30)).rejects.toThrow(
      /packed: expected the result of pack_convolution_int8, received \[5, 6, 3, 3\] float32/,
    );
    await expect(run([pack(''), convolve(s(10), { floats: true })], inputs, 30)).rejects.toThrow(
      /sum: is overwritten by bytes; expected none with a float32 result/,
    );
  });
});
