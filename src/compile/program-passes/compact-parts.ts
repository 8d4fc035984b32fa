/**
 * Makes a slice contiguous once for all its readers, where an operator would otherwise copy it in the forward pass and again
 * in the backward pass.
 */
import type { Program, Slot, Step } from '../program.ts';
import { factsOf } from './facts/operators.ts';
import { readersOf, replaceReads } from './facts/steps.ts';

export function compactParts(program: Program): Program {
  const readers = readersOf(program);
  const replaced = new Map<Slot, Slot>();
  let next = program.slots;
  const steps = program.steps.flatMap((original): readonly Step[] => {
    const step = replaceReads(original, replaced);
    const [part] = step.do === 'call' && step.operator === 'aten::slice.Tensor' ? step.to : [];
    if (step.do !== 'call' || part === undefined || part === null) return [step];
    const isCopied = (readers.get(part) ?? []).some((index) => {
      const reader = program.steps[index];
      return reader?.do === 'call' && factsOf(reader).copiesParts;
    });
    if (!isCopied) return [step];
    const copy = next++;
    replaced.set(part, copy);
    const memory_format = { memoryFormat: 'channelsLast' } as const;
    const clone: Step = {
      ...{ do: 'call', operator: 'aten::clone', args: [{ slot: part }], named: { memory_format } },
      ...{ to: [copy], layer: step.layer, ...(step.shape && { shape: step.shape }) },
    };
    return [step, clone];
  });
  return { ...program, steps, slots: next };
}
