import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import type { Emitter } from '../emitter.ts';
import { reuseResults } from './reuse-results.ts';

const image = (emitter: Emitter) => emitter.input('x', 'float32', [1, 4, 2, 2]);

describe('reuseResults', () => {
  it('writes a ReLU over a result that is not read again, but not over a program input', () => {
    const program = draftOf((emitter) => {
      const first = emitter.call('aten::relu', [image(emitter)]);
      emitter.output('y', emitter.call('aten::relu', [emitter.call('aten::convolution', [first])]));
    });
    expect(printed(reuseResults(program))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = aten::relu(%0)
      %2 = aten::convolution(%1)
      %3 = aten::relu_(%2)
      output y = %3"
    `);
  });

  it('does not overwrite what is read later through a view', () => {
    const program = draftOf((emitter) => {
      const convolved = emitter.call('aten::convolution', [image(emitter)]);
      const view = emitter.call('aten::permute', [convolved, [0, 2, 3, 1]]);
      emitter.output('y', emitter.call('aten::relu', [convolved]));
      emitter.output('z', emitter.call('aten::clone', [view]));
    });
    expect(reuseResults(program)).toEqual(program);
  });

  it('does not overwrite what the program returns', () => {
    const program = draftOf((emitter) => {
      const convolved = emitter.call('aten::convolution', [image(emitter)]);
      emitter.output('before', convolved);
      emitter.output('after', emitter.call('aten::relu', [convolved]));
    });
    expect(reuseResults(program)).toEqual(program);
  });

  it('writes a gradient over one slice of a result while the other slices are still unread', () => {
    const program = draftOf((emitter) => {
      const merged = emitter.call('inception::convolution', [image(emitter)]);
      const [first, second] = [0, 2].map((from) =>
        emitter.call('aten::slice.Tensor', [merged, 1, from, from + 2, 1]),
      ) as [{ slot: number }, { slot: number }];
      for (const [index, part] of [first, second].entries()) {
        const args = [emitter.input(`g${index}`, 'float32', [1, 2, 2, 2]), part];
        emitter.output(`y${index}`, emitter.call('inception::batch_norm_relu_backward', args));
      }
    });
    expect(printed(reuseResults(program))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = inception::convolution(%0)
      %2 = aten::slice.Tensor(%1, 1, 0, 2, 1)
      %3 = aten::slice.Tensor(%1, 1, 2, 4, 1)
      %4 = input g0
      %5 = inception::batch_norm_relu_backward(%4, %2, out=%2)
      output y0 = %5
      %6 = input g1
      %7 = inception::batch_norm_relu_backward(%6, %3, out=%3)
      output y1 = %7"
    `);
  });

  it('adds two gradients in place, reusing the memory of both', () => {
    const program = draftOf((emitter) => {
      const [first, second] = [0, 1].map(() =>
        emitter.call('inception::max_pool_backward', [image(emitter)]),
      );
      const args = [first ?? null, second ?? null, null, 0.2];
      const [sum, scaled] = emitter.calls('inception::scaled_add_backward', args, 2);
      emitter.output('sum', sum);
      emitter.output('scaled', scaled);
    });
    expect(printed(reuseResults(program))).toContain('0.2, out=%1, scaled_out=%3)');
  });
});
