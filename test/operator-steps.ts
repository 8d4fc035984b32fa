/** Helpers for tests of native/operators/: steps of small programs, and engines for every instruction set. */
import { afterAll, beforeAll } from 'vitest';
import type { Argument, Call, Step } from '../src/compile/program.ts';
import type { Engine, HostTensor } from '../src/engine/engine.ts';
import { openTorch } from '../src/engine/torch.ts';

/** The instruction sets of this processor, including those of older ones. */
export const { instructionSets } = openTorch({ device: 'cpu' }).facts;

/** In a `describe`: opens an engine with loops for an instruction set before its tests, and closes it after them. */
export function withLoops(instructionSet: string, use: (engine: Engine) => void): void {
  let engine: Engine;
  beforeAll(() => {
    engine = openTorch({ device: 'cpu', instructionSet });
    use(engine);
  });
  afterAll(() => engine.close());
}

export const s = (slot: number): Argument => ({ slot });

export const call = (operator: string, args: Call['args'], to: Call['to'], named?: Call['named']): Step => ({
  do: 'call',
  operator,
  args,
  to,
  layer: 'test',
  ...(named && { named }),
});

/** Largest difference, relative to the largest value. */
export function difference(actual: HostTensor | undefined, expected: HostTensor | undefined): number {
  const [a, b] = [actual?.data as Float32Array, expected?.data as Float32Array];
  let [worst, largest] = [0, 1e-30];
  a.forEach((value, index) => {
    worst = Math.max(worst, Math.abs(value - (b[index] as number)));
    largest = Math.max(largest, Math.abs(b[index] as number));
  });
  return worst / largest;
}
