import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import { writeToStore } from './write-to-store.ts';

const gradientBy = (operator: string, { readTwice = false } = {}) =>
  draftOf((emitter) => {
    const [, gamma, beta] = emitter.calls(operator, [emitter.input('g', 'float32', [1, 4, 2, 2])], 3);
    emitter.call('aten::copy_', [emitter.load('gradient/gamma'), gamma]);
    emitter.call('aten::copy_', [emitter.load('gradient/beta'), beta]);
    if (readTwice) emitter.output('beta', beta);
  });

describe('writeToStore', () => {
  it('makes an operator write its results directly to their destination', () => {
    const program = gradientBy('inception::batch_norm_relu_backward');
    expect(printed(writeToStore(program))).toMatchInlineSnapshot(`
      "%0 = input g
      inception::batch_norm_relu_backward(%0, gamma_out=%1, beta_out=%2)"
    `);
  });

  it('keeps the copy of a result that has another reader', () => {
    const program = gradientBy('inception::batch_norm_relu_backward', { readTwice: true });
    expect(printed(writeToStore(program))).toMatch(/gamma_out=%\d+\)\naten::copy_\(/);
  });

  it('keeps the copies of operators without out arguments', () => {
    const program = gradientBy('aten::native_batch_norm_backward');
    expect(writeToStore(program)).toEqual(program);
  });
});
