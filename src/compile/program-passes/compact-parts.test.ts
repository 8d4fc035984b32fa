import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import { compactParts } from './compact-parts.ts';

const sliceFor = (operator: string) =>
  draftOf((emitter) => {
    const merged = emitter.call('inception::convolution', [emitter.input('x', 'float32', [1, 4, 2, 2])]);
    const part = emitter.call('aten::slice.Tensor', [merged, 1, 0, 2, 1]);
    emitter.output('y', emitter.call(operator, [part]));
    emitter.output('z', emitter.call('inception::convolution_backward', [part]));
  });

describe('compactParts', () => {
  it('copies a slice once for all readers if any of them would copy it', () => {
    expect(printed(compactParts(sliceFor('inception::convolution')))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = inception::convolution(%0)
      %2 = aten::slice.Tensor(%1, 1, 0, 2, 1)
      %3 = aten::clone(%2, memory_format=channelsLast)
      %4 = inception::convolution(%3)
      output y = %4
      %5 = inception::convolution_backward(%3)
      output z = %5"
    `);
  });

  it('leaves a slice that its readers can read in place', () => {
    const program = sliceFor('inception::batch_norm_relu');
    expect(compactParts(program)).toEqual(program);
  });
});
