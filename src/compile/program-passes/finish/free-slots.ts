/** Frees every slot right after the last step that uses it, so that a program holds no tensor longer than it needs. */
import { type Program, reads, type Slot, type Step, writes } from '../../program.ts';

/** @param program must not contain frees yet. */
export function freeSlots(program: Program): Program {
  const lastUse = new Int32Array(program.slots);
  program.steps.forEach((step, index) => {
    for (const slot of reads(step)) lastUse[slot] = index;
    for (const slot of writes(step)) lastUse[slot] = index;
  });
  const steps: Step[] = [];
  program.steps.forEach((step, index) => {
    const dead: Slot[] = [];
    const collect = (slots: readonly Slot[]) => {
      for (const slot of slots) if (lastUse[slot] === index && !dead.includes(slot)) dead.push(slot);
    };
    collect(reads(step));
    collect(writes(step));
    steps.push(step);
    if (dead.length > 0) steps.push({ do: 'free', slots: dead });
  });
  return { ...program, steps };
}
