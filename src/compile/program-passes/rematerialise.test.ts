import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';
import { isRecomputationWorthwhile, rematerialise } from './rematerialise.ts';

function normalised(emitter: Emitter, input: Value): Value {
  const statistics = [emitter.load('mean'), emitter.load('variance')];
  const args = [input, null, emitter.load('beta'), ...statistics, 0.1, 0.001];
  const [value] = emitter.calls('inception::batch_norm_relu', args, 3);
  emitter.describe(value, [1000, 1000, 4, 4]);
  return value;
}

/** Reads a result forward and, after the loss, backward. */
function step(compute: (emitter: Emitter, input: Value) => Value) {
  let backward = -1;
  const program = draftOf((emitter) => {
    const result = compute(emitter, emitter.input('x', 'float32', [1, 4, 2, 2]));
    const seed = emitter.call('aten::mean', [result]);
    backward = seed.slot;
    emitter.output('y', emitter.call('inception::convolution_backward', [seed, result]));
    emitter.output('z', emitter.call('inception::convolution_backward', [seed, result]));
  });
  return { program, backward };
}

describe('rematerialise', () => {
  it('recomputes a normalised result once for the backward pass, from its saved statistics', () => {
    const { program, backward } = step(normalised);
    expect(printed(rematerialise(program, { backward }))).toMatchInlineSnapshot(`
      "%0 = input x
      %4, %5, %6 = inception::batch_norm_relu(%0, none, %1, %2, %3, 0.1, 0.001)
      %7 = aten::mean(%4)
      %8 = inception::batch_norm_relu_again(%0, none, %1, %5, %6)
      %9 = inception::convolution_backward(%7, %8)
      output y = %9
      %10 = inception::convolution_backward(%7, %8)
      output z = %10"
    `);
  });

  it('recomputes a concatenation of such results and pooling', () => {
    const { program, backward } = step((emitter, x) => {
      const [pooled] = emitter.calls('inception::max_pool', [x, [3, 3], 2, [0, 0]], 2);
      return emitter.call('aten::cat', [[normalised(emitter, x), pooled], 1]);
    });
    expect(printed(rematerialise(program, { backward }))).toMatchInlineSnapshot(`
      "%0 = input x
      %1, _ = inception::max_pool(%0, [3, 3], 2, [0, 0])
      %5, %6, %7 = inception::batch_norm_relu(%0, none, %2, %3, %4, 0.1, 0.001)
      %8 = aten::cat([%5, %1], 1)
      %9 = aten::mean(%8)
      %10 = inception::batch_norm_relu_again(%0, none, %2, %6, %7)
      %11 = inception::max_pool(%0, [3, 3], 2, [0, 0])
      %12 = aten::cat([%10, %11], 1)
      %13 = inception::convolution_backward(%9, %12)
      output y = %13
      %14 = inception::convolution_backward(%9, %12)
      output z = %14"
    `);
  });

  it('keeps results that are expensive to recompute', () => {
    const { program, backward } = step((emitter, x) => emitter.call('inception::convolution', [x]));
    expect(rematerialise(program, { backward })).toEqual(program);
  });
});

describe('isRecomputationWorthwhile', () => {
  it('counts the bytes of the results that it drops', () => {
    const { program } = step(normalised);
    expect(isRecomputationWorthwhile(program, { bytes: 8 })).toBe(true);
    expect(isRecomputationWorthwhile(program, { bytes: 4 })).toBe(false);
  });
});
