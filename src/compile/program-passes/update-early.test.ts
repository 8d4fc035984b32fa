import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import type { StoreSpec } from '../program.ts';
import { updateEarly } from './update-early.ts';

const view = (name: string, tensor: string, [begin, end]: readonly [number, number]) => ({
  ...{ name, of: tensor, shape: [end - begin], strides: [1], offset: begin },
});

const store: StoreSpec = {
  tensors: ['flat/weights', 'flat/gradient'].map((name) => ({ name, dtype: 'float32', shape: [8] })),
  views: [
    view('a', 'flat/weights', [0, 4]),
    view('b', 'flat/weights', [4, 8]),
    view('all', 'flat/weights', [0, 8]),
    view('gradient/b', 'flat/gradient', [4, 8]),
  ],
};

describe('updateEarly', () => {
  it('moves any update to where its gradient exists and the tensor is no longer read', () => {
    const program = draftOf((emitter) => {
      const x = emitter.input('x', 'float32', [4]);
      const gradient = emitter.call('aten::exp', [x]);
      const reads = emitter.call('aten::mul.Tensor', [gradient, emitter.load('a')]);
      emitter.output('y', emitter.call('aten::sqrt', [reads]));
      emitter.call('other::optimise_', [emitter.load('a'), gradient, emitter.input('rate', 'float32', [])]);
    });
    expect(printed(updateEarly(program, { store }))).toMatchInlineSnapshot(`
      "%0 = input x
      %1 = aten::exp(%0)
      %3 = aten::mul.Tensor(%1, %2)
      %4 = input rate
      other::optimise_(%2, %1, %4)
      %5 = aten::sqrt(%3)
      output y = %5"
    `);
  });

  it('does not move it before a step that reads the same memory under another name', () => {
    const program = draftOf((emitter) => {
      const gradient = emitter.call('aten::exp', [emitter.input('x', 'float32', [4])]);
      emitter.output('before', emitter.call('aten::sqrt', [gradient]));
      emitter.output('y', emitter.call('aten::sqrt', [emitter.load('all')]));
      emitter.output('after', emitter.call('aten::sqrt', [gradient]));
      emitter.call('other::optimise_', [emitter.load('b'), gradient]);
    });
    const text = printed(updateEarly(program, { store }));
    expect(text.split('\n').map((line) => line.replace(/%\d+( = )?/g, ''))).toEqual([
      ...['input x', 'aten::exp()', 'aten::sqrt()', 'output before = ', 'aten::sqrt()'],
      ...['other::optimise_(, )', 'output y = ', 'aten::sqrt()', 'output after = '],
    ]);
  });

  it('leaves an update whose gradient is in the store', () => {
    const program = draftOf((emitter) => {
      emitter.output('y', emitter.call('aten::sqrt', [emitter.input('x', 'float32', [4])]));
      emitter.call('other::optimise_', [emitter.load('b'), emitter.load('gradient/b')]);
    });
    expect(updateEarly(program, { store })).toEqual(program);
  });
});
