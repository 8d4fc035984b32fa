import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import { absorbSums } from './absorb-sums.ts';

const step = (gradients: number) =>
  draftOf((emitter) => {
    const inputs = Array.from({ length: gradients }, (_, index) =>
      emitter.input(`g${index}`, 'float32', [1]),
    );
    const sum = inputs.reduce((total, input) => emitter.call('aten::add.Tensor', [total, input]));
    emitter.output('y', emitter.call('inception::scaled_add_backward', [sum, null, null, 0.2]));
  });

describe('absorbSums', () => {
  it('passes both gradients to an operator that can add them', () => {
    expect(printed(absorbSums(step(2)))).toMatchInlineSnapshot(`
      "%0 = input g0
      %1 = input g1
      %2 = inception::scaled_add_backward(%0, %1, none, 0.2)
      output y = %2"
    `);
  });

  it('leaves a sum of more than two gradients, so that each partial sum is rounded', () => {
    expect(absorbSums(step(3))).toEqual(step(3));
  });

  it('leaves a sum that has other readers', () => {
    const program = draftOf((emitter) => {
      const [first, second] = [emitter.input('g0', 'float32', [1]), emitter.input('g1', 'float32', [1])];
      const sum = emitter.call('aten::add.Tensor', [first, second]);
      emitter.output('y', emitter.call('inception::scaled_add_backward', [sum, null, null, 0.2]));
      emitter.output('sum', sum);
    });
    expect(absorbSums(program)).toEqual(program);
  });
});
