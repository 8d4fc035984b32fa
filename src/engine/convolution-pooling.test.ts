/** Native convolutions and pooling, and their portable overloads, against libtorch's. */
import { describe, expect, it } from 'vitest';
import { call, difference, instructionSets, s, withLoops } from '../../test/operator-steps.ts';
import type { Step } from '../compile/program.ts';
import { freeSlots } from '../compile/program-passes/finish/free-slots.ts';
import type { Engine, HostTensor } from './engine.ts';

let engine: Engine;
const use = (opened: Engine) => {
  engine = opened;
};

const cast = (from: number, to: number, dtype: 'float32' | 'bfloat16') =>
  call('aten::_to_copy', [s(from)], [to], {
    dtype: { dtype },
    memory_format: { memoryFormat: 'channelsLast' },
  });

type Sizes = readonly [n: number, c: number, h: number, w: number];
const count = (sizes: readonly number[]) => sizes.reduce((product, size) => product * size, 1);
const values = (sizes: readonly number[], salt: number) =>
  Float32Array.from({ length: count(sizes) }, (_, index) => Math.sin(index * 12.9898 + salt));

/** Runs steps over float32 inputs (slots from 0, cast to `dtype` in slots from 10); returns slots as float32. */
async function run(
  steps: readonly Step[],
  {
    inputs,
    returned,
    dtype,
  }: { inputs: readonly Sizes[]; returned: readonly number[]; dtype: 'float32' | 'bfloat16' },
): Promise<HostTensor[]> {
  const program = freeSlots({
    name: 'test',
    inputs: inputs.map((shape, index) => ({ name: `x${index}`, dtype: 'float32', shape })),
    outputs: returned.map((slot) => `y${slot}`),
    slots: 200,
    steps: [
      ...inputs.flatMap((_, index): Step[] => [
        { do: 'input', name: `x${index}`, to: index },
        cast(index, 10 + index, dtype),
      ]),
      ...steps,
      ...returned.flatMap((slot): Step[] => [
        cast(slot, 100 + slot, 'float32'),
        { do: 'output', name: `y${slot}`, from: 100 + slot },
      ]),
    ],
  });
  const store = await engine.createStore({ tensors: [], views: [] });
  const loaded = await engine.load(program, store);
  const arrays = inputs.map((shape, index) => [`x${index}`, values(shape, index)]);
  const result = await loaded.run(Object.fromEntries(arrays));
  store.release();
  return returned.map((slot) => result[`y${slot}`] as HostTensor);
}

const dtypes = ['float32', 'bfloat16'] as const;
const tolerance = { float32: 1e-5, bfloat16: 2 ** -6 };

describe.each(instructionSets.flatMap((set) => dtypes.map((dtype) => [dtype, set] as const)))(
  'inception::convolution in %s, %s loops',
  (dtype, instructionSet) => {
    withLoops(instructionSet, use);
    const cases: [input: Sizes, weight: Sizes, stride: number, padding: [number, number]][] = [
      [[2, 3, 15, 13], [16, 3, 3, 3], 2, [0, 0]],
      [[2, 32, 9, 9], [48, 32, 1, 1], 1, [0, 0]],
      [[1, 24, 8, 8], [20, 24, 1, 7], 1, [0, 3]],
      [[3, 16, 7, 7], [8, 16, 3, 3], 1, [1, 1]],
      // Wide 1D windows, whose weight gradients are matrix products; also with taps that read only padding.
      [[3, 136, 5, 9], [128, 136, 1, 7], 1, [0, 3]],
      [[2, 128, 9, 4], [144, 128, 7, 1], 1, [3, 0]],
      [[2, 128, 3, 2], [128, 128, 7, 1], 1, [3, 0]],
      [[2, 128, 2, 3], [128, 128, 1, 3], 1, [0, 1]],
    ];
    it.each(cases)(
      'equals libtorch, forward and backward, directly and portably: %j %j',
      async (x, w, stride, padding) => {
        const geometry = [[stride, stride], padding] as const;
        const out = [0, 1].map(
          (axis) =>
            Math.floor(
              ((x[2 + axis] as number) + 2 * (padding[axis] as number) - (w[2 + axis] as number)) / stride,
            ) + 1,
        );
        const dy: Sizes = [x[0], w[0], ...(out as [number, number])];
        const aten = [...geometry, [1, 1], false, [0, 0], 1];
        const variants = ['', '.portable'].flatMap((overload, variant): Step[] => {
          const first = 30 + variant * 10;
          // Once with newly allocated results, once with out arguments.
          const allocates = variant === 0;
          return [
            call('aten::empty_like', [s(1)], [first + 4], {
              memory_format: { memoryFormat: 'channelsLast' },
            }),
            call('aten::empty.memory_format', [[w[0]]], [first + 5], { dtype: { dtype: 'float32' } }),
            call(`inception::convolution${overload}`, [s(10), s(11), null, ...geometry], [first + 2]),
            call(
              `inception::convolution_backward${overload}`,
              [s(12), s(10), s(11), ...geometry, true, true],
              [first + 3, first, first + 1],
              allocates ? {} : { weight_out: s(first + 4), bias_out: s(first + 5) },
            ),
          ];
        });
        const steps = [
          ...variants,
          call('aten::convolution', [s(10), s(11), null, ...aten], [60]),
          call(
            'aten::convolution_backward',
            [s(12), s(10), s(11), [w[0]], ...aten, [true, true, true]],
            [61, 62, 63],
          ),
          ...[31, 41, 63].map((slot, index) => call('aten::view', [s(slot), [1, w[0], 1, 1]], [70 + index])),
        ];
        const returned = [32, 33, 30, 70, 42, 43, 40, 71, 60, 61, 62, 72];
        const results = await run(steps, { inputs: [x, w, dy], returned, dtype });
        const expected = results.slice(8);
        for (const begin of [0, 4]) {
          expected.forEach((tensor, index) => {
            expect(difference(results[begin + index], tensor)).toBeLessThan(tolerance[dtype]);
          });
        }
      },
    );

    it('packs weights, adds a residual and applies the ReLU, directly and portably, also for another batch size', async () => {
      const [x, w]: [Sizes, Sizes] = [
        [2, 16, 7, 7],
        [24, 16, 3, 3],
      ];
      const y: Sizes = [2, 24, 7, 7];
      const b: Sizes = [1, 24, 1, 1];
      const geometry = [
        [1, 1],
        [1, 1],
      ] as const;
      const pack = (overload: string, to: number) =>
        call(`inception::pack_convolution${overload}`, [s(11), x, ...geometry, true, true], [to]);
      const packed = (
        overload: string,
        weight: number,
        [input, sum, to]: readonly [number, number, number],
      ) =>
        call(
          `inception::convolution_packed${overload}`,
          [s(input), s(weight), s(21), s(sum), ...geometry, true],
          [to],
        );
      const copies = [30, 31, 32].map((to) => cast(12, to, dtype));
      const steps = [
        call('aten::view', [s(13), [24]], [20]),
        call('aten::_to_copy', [s(20)], [21], { dtype: { dtype: 'float32' } }),
        ...copies,
        pack('', 22),
        pack('.portable', 23),
        packed('', 22, [10, 30, 40]),
        packed('.portable', 23, [10, 31, 41]),
        call('aten::slice.Tensor', [s(10), 0, 0, 1, 1], [24]),
        call('aten::slice.Tensor', [s(32), 0, 0, 1, 1], [25]),
        // Plain weights are packed in the call.
        packed('', 23, [24, 25, 42]),
        call('aten::convolution', [s(10), s(11), s(20), ...geometry, [1, 1], false, [0, 0], 1], [50]),
        call('aten::add.Tensor', [s(50), s(12)], [51]),
        call('aten::relu', [s(51)], [52]),
      ];
      const [direct, portable, first, expected] = await run(steps, {
        inputs: [x, w, y, b],
        returned: [40, 41, 42, 52],
        dtype,
      });
      expect(difference(direct, portable)).toBeLessThan(tolerance[dtype]);
      expect(difference(direct, expected)).toBeLessThan(tolerance[dtype]);
      expect(first?.data).toEqual(direct?.data.slice(0, count(y) / 2));
    });

    it('refuses weights that pack_convolution did not pack', async () => {
      const geometry = [
        [1, 1],
        [0, 0],
      ] as const;
      const steps = [
        call('aten::zeros', [[900]], [20], { dtype: { dtype: 'uint8' } }),
        call('aten::zeros', [[8]], [21], { dtype: { dtype: 'float32' } }),
        call('inception::convolution_packed', [s(10), s(20), s(21), null, ...geometry, true], [30]),
      ];
      const running = run(steps, { inputs: [[1, 8, 3, 3]], returned: [30], dtype });
      await expect(running).rejects.toThrow(
        engine.facts.oneDnn
          ? /packed: expected the result of pack_convolution, received \[900\] uint8/
          : /packed: expected the result of pack_convolution.portable/,
      );
    });
  },
);

describe.each(instructionSets.flatMap((set) => dtypes.map((dtype) => [dtype, set] as const)))(
  'inception pooling in %s, %s loops',
  (dtype, instructionSet) => {
    withLoops(instructionSet, use);
    const cases: [input: Sizes, window: [number, number], stride: number, padding: [number, number]][] = [
      [[2, 8, 9, 11], [3, 3], 1, [1, 1]],
      [[2, 40, 9, 9], [3, 3], 2, [0, 0]],
      [[1, 5, 8, 7], [5, 5], 3, [2, 2]],
      [[3, 16, 4, 4], [2, 4], 2, [1, 0]],
    ];
    it.each(cases)(
      'equals libtorch, contiguous and into a slice of a wider tensor: %j %j',
      async (x, window, stride, padding) => {
        const out = [0, 1].map(
          (axis) =>
            Math.floor(
              ((x[2 + axis] as number) + 2 * (padding[axis] as number) - (window[axis] as number)) / stride,
            ) + 1,
        ) as [number, number];
        const [n, c] = x;
        const dy: Sizes = [n, c, ...out];
        const wide: Sizes = [n, c + 3, ...out];
        const geometry = [window, stride, padding];
        const strides = [stride, stride];
        const steps = [
          call('aten::slice.Tensor', [s(12), 1, 2, 2 + c, 1], [20]),
          call('inception::avg_pool', [s(10), ...geometry, false], [30]),
          call('inception::avg_pool', [s(10), ...geometry, false], [null], { out: s(20) }),
          call('aten::clone', [s(20)], [31]),
          call('inception::avg_pool_backward', [s(11), x, ...geometry, false], [32]),
          call('inception::max_pool', [s(10), ...geometry], [33, 34]),
          call('inception::max_pool', [s(10), ...geometry], [null, 35], { out: s(20) }),
          call('inception::max_pool_backward', [s(11), s(34), x, ...geometry], [36]),
          call('aten::avg_pool2d', [s(10), window, strides, padding, false, false, null], [50]),
          call(
            'aten::avg_pool2d_backward',
            [s(11), s(10), window, strides, padding, false, false, null],
            [51],
          ),
          call('aten::max_pool2d_with_indices', [s(10), window, strides, padding, [1, 1], false], [52, 53]),
          call(
            'aten::max_pool2d_with_indices_backward',
            [s(11), s(10), window, strides, padding, [1, 1], false, s(53)],
            [54],
          ),
        ];
        const returned = [30, 31, 32, 33, 20, 36, 50, 50, 51, 52, 52, 54];
        const unique = [...new Set(returned)];
        const results = await run(steps, { inputs: [x, dy, wide], returned: unique, dtype });
        const resultOf = (slot: number) => results[unique.indexOf(slot)];
        for (let index = 0; index < 6; index++) {
          const [native, reference] = [returned[index] as number, returned[index + 6] as number];
          expect(
            difference(resultOf(native), resultOf(reference)),
            `slots ${native}, ${reference}`,
          ).toBeLessThan(tolerance[dtype]);
        }
      },
    );
  },
);
