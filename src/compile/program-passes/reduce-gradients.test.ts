import { describe, expect, it } from 'vitest';
import { draftOf, printed } from '../../../test/printed-steps.ts';
import type { StoreSpec } from '../program.ts';
import { reduceGradients } from './reduce-gradients.ts';

const view = (name: string, [begin, end]: readonly [number, number]) => ({
  ...{ name, of: 'flat/gradient', shape: [end - begin], strides: [1], offset: begin },
});

const store: StoreSpec = {
  tensors: [{ name: 'flat/gradient', dtype: 'float32', shape: [12] }],
  views: [
    ...[view('gradient/a', [0, 4]), view('gradient/b', [4, 8]), view('gradient/c', [8, 12])],
    ...[view('bucket/0', [8, 12]), view('bucket/1', [0, 8])],
  ],
};

/** Gradients in this order, then the buckets. */
const draft = (order: readonly string[]) =>
  draftOf((emitter) => {
    for (const name of order)
      emitter.call('aten::copy_', [
        emitter.load(`gradient/${name}`),
        emitter.call(`other::${name}`, [emitter.input(name, 'float32', [4])]),
      ]);
    for (const number of [0, 1]) {
      const bucket = emitter.load(`bucket/${number}`);
      emitter.call('inception::accumulate_', [bucket, bucket, number, false]);
      emitter.call('inception::share_', [bucket, number, 2, false]);
    }
    for (const number of [0, 1]) {
      const bucket = emitter.load(`bucket/${number}`);
      emitter.call('inception::wait_', [bucket, bucket, number]);
    }
  });

const operators = (order: readonly string[]) =>
  printed(reduceGradients(draft(order), { store }))
    .split('\n')
    .filter((line) => !line.includes('input'))
    .map((line) => line.replace(/.*::(\w+)\(.*/, '$1'));

const bucket = ['accumulate_', 'share_'];

describe('reduceGradients', () => {
  it('begins each bucket where the last of its values is written', () => {
    expect(printed(reduceGradients(draft(['c', 'b', 'a']), { store }))).toMatchInlineSnapshot(`
      "%0 = input c
      %1 = other::c(%0)
      aten::copy_(%2, %1)
      inception::accumulate_(%3, %3, 0, false)
      inception::share_(%3, 0, 2, false)
      %4 = input b
      %5 = other::b(%4)
      aten::copy_(%6, %5)
      %7 = input a
      %8 = other::a(%7)
      aten::copy_(%9, %8)
      inception::accumulate_(%10, %10, 1, false)
      inception::share_(%10, 1, 2, false)
      inception::wait_(%3, %3, 0)
      inception::wait_(%10, %10, 1)"
    `);
  });

  it('keeps the order of buckets where they are finished in another', () => {
    expect(operators(['b', 'a', 'c'])).toEqual([
      ...['b', 'copy_', 'a', 'copy_', 'c', 'copy_', ...bucket, ...bucket],
      ...['wait_', 'wait_'],
    ]);
  });

  it('begins a bucket that nothing writes at the beginning', () => {
    expect(operators(['b', 'a']).slice(0, 3)).toEqual([...bucket, 'b']);
  });

  it('leaves a program without buckets alone', () => {
    const program = draftOf((emitter) => {
      emitter.call('aten::zero_', [emitter.load('flat/gradient')]);
    });
    expect(reduceGradients(program, { store })).toBe(program);
  });
});
