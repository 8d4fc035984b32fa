import { describe, expect, it } from 'vitest';
import { Emitter } from '../../emitter.ts';
import type { Step } from '../../program.ts';
import { freeSlots } from './free-slots.ts';
import { loadLate } from './load-late.ts';
import { numberSlots } from './number-slots.ts';

/** A product of an input and a stored tensor, with a load and a result that are never read. */
function draft() {
  const emitter = new Emitter();
  const early = emitter.load('w');
  emitter.load('unread');
  const x = emitter.input('x', 'float32', [2]);
  const [first] = emitter.calls('aten::both', [x], 2);
  emitter.output('y', emitter.call('aten::mul.Tensor', [first, early]));
  emitter.call('aten::copy_', [early, first]);
  return emitter.draft('test');
}

const kinds = (steps: readonly Step[]) =>
  steps.map((step) => (step.do === 'free' ? step.slots : step.do === 'load' ? step.name : step.do));

describe('loadLate', () => {
  it('loads tensors and inputs right before their first reader, and drops unread loads', () => {
    expect(kinds(loadLate(draft()).steps)).toEqual(['input', 'call', 'w', 'call', 'output', 'call']);
  });
});

describe('numberSlots', () => {
  it('numbers slots in step order, and gives unread results no slot', () => {
    const { steps, slots } = numberSlots(loadLate(draft()));
    expect(steps.flatMap((step) => (step.do === 'call' ? [step.to] : []))).toEqual([[1, null], [3], []]);
    expect(slots).toBe(4);
  });
});

describe('freeSlots', () => {
  it('frees each slot after its last use, and an unread result at once', () => {
    const input: Step = { do: 'input', name: 'x', to: 0 };
    const load: Step = { do: 'load', name: 'w', to: 1 };
    const args = [{ slot: 0 }, { slots: [0, 1] }];
    const call: Step = { do: 'call', operator: 'aten::add.Tensor', args, to: [2, 3], layer: 'sum' };
    const steps = [input, load, call, { do: 'output', name: 'y', from: 2 } as const];
    const program = { name: 'test', inputs: [], outputs: ['y'], slots: 4, steps };
    expect(kinds(freeSlots(program).steps)).toEqual(['input', 'w', 'call', [0, 1, 3], 'output', [2]]);
  });
});
