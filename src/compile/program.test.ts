import { describe, expect, it } from 'vitest';
import { type Call, checkProgram, type Program, printProgram, type Step } from './program.ts';

const call = (to: (number | null)[], ...args: Call['args']): Call => ({
  do: 'call',
  operator: 'aten::add.Tensor',
  args,
  to,
  layer: 'sum',
});

const program = (steps: readonly Step[], slots = 4): Program => ({
  name: 'test',
  inputs: [{ name: 'x', dtype: 'float32', shape: [2, 3] }],
  outputs: ['y'],
  slots,
  steps,
});

const input: Step = { do: 'input', name: 'x', to: 0 };
const load: Step = { do: 'load', name: 'w', to: 1 };
const output: Step = { do: 'output', name: 'y', from: 2 };
const free = (...slots: number[]): Step => ({ do: 'free', slots });
const good = [input, load, call([2], { slot: 0 }, { slot: 1 }), free(0, 1), output, free(2)];

describe('checkProgram', () => {
  it('accepts a program in single assignment whose slots are freed', () => {
    const store = { tensors: [{ name: 'w', dtype: 'float32' as const, shape: [2, 3] }], views: [] };
    expect(() => checkProgram(program(good), store)).not.toThrow();
  });

  it.each<[string, readonly Step[], RegExp]>([
    [
      'a slot that is never assigned',
      [call([2], { slot: 3 })],
      /step 0 \(%2 = aten::add\.Tensor\(%3\)\): reads %3, which no earlier step assigns/,
    ],
    [
      'a slot that is freed',
      [input, free(0), call([2], { slot: 0 })],
      /step 2 .*: reads %0, which an earlier step freed/,
    ],
    [
      'a second assignment',
      [input, { ...load, to: 0 } as Step],
      /step 1 \(%0 = load w\): assigns %0 a second time/,
    ],
    [
      'a slot beyond the program',
      [{ ...input, to: 9 } as Step],
      /step 0 .*: assigns %9, expected a slot from 0 to 3/,
    ],
    ['a double free', [input, free(0), free(0)], /step 2 \(free %0\): reads %0, which an earlier step freed/],
    [
      'an operator without a name',
      [{ ...call([2]), operator: 'add' }],
      /step 0 .*: 'add' is not an operator name/,
    ],
    ['an unknown input', [{ ...input, name: 'z' } as Step], /step 0 .*: the program has no input 'z'/],
    [
      'an unknown output',
      [input, { do: 'output', name: 'z', from: 0 }],
      /step 1 .*: 'z' is not an output of the program/,
    ],
    ['a slot that is never freed', [input], /^test: %0 is never freed$/],
    ['an output that no step produces', [input, free(0)], /^test: no step outputs 'y'$/],
  ])('refuses %s and names the step', (_, steps, message) => {
    expect(() => checkProgram(program(steps))).toThrow(message);
  });

  it('refuses a tensor that the store lacks', () => {
    expect(() => checkProgram(program(good), { tensors: [], views: [] })).toThrow(
      "step 1 (%1 = load w): the store has no tensor 'w'",
    );
  });

  it('lets a program store computed tensors of the spec, and nothing else', () => {
    const store: Step = { do: 'store', name: 'w', from: 0 };
    const steps = [input, store, free(0), load, call([2], { slot: 1 }), free(1), output, free(2)];
    const empty = { tensors: [], views: [] };
    expect(() => checkProgram(program(steps), { ...empty, computed: ['w'] })).not.toThrow();
    expect(() => checkProgram(program(steps), empty)).toThrow(
      "step 1 (store w = %0): 'w' is not among the store's computed tensors",
    );
  });
});

describe('printProgram', () => {
  it('prints one step per line, and loads below the name of their layer', () => {
    const step: Step = {
      do: 'call',
      operator: 'aten::clone',
      args: [{ slot: 0 }, null, [1, 2], true, 0.5, { slots: [0, 1] }],
      named: {
        dtype: { dtype: 'float32' },
        memory_format: { memoryFormat: 'channelsLast' },
        generator: { generator: 'store' },
      },
      to: [2, null],
      layer: 'stem/conv1',
    };
    expect(printProgram(program([input, load, step, output]))).toBe(`program test
inputs x: float32[2, 3]
# stem/conv1
0  %0 = input x
1  %1 = load w
2  %2, _ = aten::clone(%0, none, [1, 2], true, 0.5, [%0, %1], dtype=float32, memory_format=channelsLast, generator=generator)
3  output y = %2
`);
  });
});
