import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import type { Emitter } from '../emitter.ts';
import type { Program, Value } from '../program.ts';
import { placeInConcat } from './place-in-concat.ts';
import { reuseResults } from './reuse-results.ts';

const place = (program: Program): Program => placeInConcat(program, { dtype: 'float32' });

function described(emitter: Emitter, value: Value, channels: number): Value {
  emitter.describe(value, [1, channels, 2, 2]);
  return value;
}

const pooled = (emitter: Emitter, input: Value, channels: number): Value =>
  described(emitter, emitter.call('inception::avg_pool', [input]), channels);

const joined = (emitter: Emitter, parts: readonly Value[], channels: number): Value =>
  described(emitter, emitter.call('aten::cat', [parts, 1]), channels);

describe('placeInConcat', () => {
  it('writes results into their channels of a concatenation, and copies those of operators without an out argument', () => {
    const program = draftOf((emitter) => {
      const x = emitter.input('x', 'float32', [1, 4, 2, 2]);
      const convolved = described(emitter, emitter.call('aten::convolution', [x]), 3);
      emitter.output('y', joined(emitter, [pooled(emitter, x, 4), convolved], 7));
    });
    expect(printed(place(program))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = aten::convolution(%0)
      %2 = aten::empty.memory_format([1, 7, 2, 2], dtype=float32, device=device, memory_format=channelsLast)
      %3 = aten::slice.Tensor(%2, 1, 0, 4, 1)
      inception::avg_pool(%0, out=%3)
      %4 = aten::slice.Tensor(%2, 1, 4, 7, 1)
      aten::copy_(%4, %1)
      output y = %2"
    `);
  });

  it('makes the buffer of an inner concatenation a slice of the outer one', () => {
    const program = draftOf((emitter) => {
      const x = emitter.input('x', 'float32', [1, 4, 2, 2]);
      const inner = joined(emitter, [pooled(emitter, x, 4), pooled(emitter, x, 4)], 8);
      emitter.output('y', joined(emitter, [pooled(emitter, x, 4), inner], 12));
    });
    expect(printed(place(program))).toMatchInlineSnapshot(`
      "%0 = aten::empty.memory_format([1, 12, 2, 2], dtype=float32, device=device, memory_format=channelsLast)
      %1 = aten::slice.Tensor(%0, 1, 4, 12, 1)
      %2 = aten::slice.Tensor(%1, 1, 0, 4, 1)
      %3 = input x
      inception::avg_pool(%3, out=%2)
      %4 = aten::slice.Tensor(%1, 1, 4, 8, 1)
      inception::avg_pool(%3, out=%4)
      %5 = aten::slice.Tensor(%0, 1, 0, 4, 1)
      inception::avg_pool(%3, out=%5)
      output y = %0"
    `);
  });

  it('leaves a result that has other readers, because they need it contiguous', () => {
    const program = draftOf((emitter) => {
      const x = emitter.input('x', 'float32', [1, 4, 2, 2]);
      const read = pooled(emitter, x, 4);
      emitter.output('y', joined(emitter, [read, read], 8));
    });
    expect(place(program)).toEqual(program);
  });

  it('joins the gradients of slices in the memory of the sliced result', () => {
    const program = draftOf((emitter) => {
      const x = emitter.input('x', 'float32', [1, 4, 2, 2]);
      const merged = described(emitter, emitter.call('inception::convolution', [x]), 8);
      const [first, second] = [0, 4].map((from) =>
        emitter.call('aten::slice.Tensor', [merged, 1, from, from + 4, 1]),
      ) as [Value, Value];
      const through = pooled(emitter, second, 4);
      const gradients = [
        emitter.call('inception::batch_norm_relu_backward', [through, first]),
        emitter.call('inception::avg_pool_backward', [through]),
      ].map((gradient) => described(emitter, gradient, 4));
      emitter.output('y', emitter.call('aten::clone', [joined(emitter, gradients, 8)]));
    });
    expect(printed(place(reuseResults(program)))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = inception::convolution(%0)
      %2 = aten::slice.Tensor(%1, 1, 0, 4, 1)
      %3 = aten::slice.Tensor(%1, 1, 4, 8, 1)
      %4 = inception::avg_pool(%3)
      inception::batch_norm_relu_backward(%4, %2, out=%2)
      %5 = aten::slice.Tensor(%1, 1, 4, 8, 1)
      inception::avg_pool_backward(%4, out=%5)
      %6 = aten::clone(%1)
      output y = %6"
    `);
  });
});
