/** Numbers slots in step order; unread results get none. */
import { type Program, reads, type Slot, type Step } from '../../program.ts';
import { replaceReads } from '../facts/steps.ts';

export function numberSlots(program: Program): Program {
  const read = new Uint8Array(program.slots);
  for (const step of program.steps) for (const slot of reads(step)) read[slot] = 1;
  const numbers = new Map<Slot, Slot>();
  const number = (slot: Slot): Slot => {
    numbers.set(slot, numbers.size);
    return numbers.size - 1;
  };
  const steps = program.steps.map((step): Step => {
    const renamed = replaceReads(step, numbers);
    if (renamed.do === 'load' || renamed.do === 'input') return { ...renamed, to: number(renamed.to) };
    if (renamed.do !== 'call') return renamed;
    const to = renamed.to.map((slot) => (slot !== null && read[slot] === 1 ? number(slot) : null));
    // An operator that is called for its effect may have no result at all.
    return { ...renamed, to: to.every((slot) => slot === null) ? [] : to };
  });
  return { ...program, steps, slots: numbers.size };
}
