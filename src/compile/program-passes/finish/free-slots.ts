/** Frees every slot right after the last step that uses it, so that a program holds no tensor longer than it needs. */
import { type Program, reads, type Slot, type Step, writes } from '../../program.ts';

/** @param program must not contain frees yet. */
export function freeSlots(program: Program): Program {
  const lastUse = new Map<Slot, number>();
  program.steps.forEach((step, number) => {
    for (const slot of [...writes(step), ...reads(step)]) lastUse.set(slot, number);
  });
  const steps = program.steps.flatMap((step, number): readonly Step[] => {
    const touched = new Set([...reads(step), ...writes(step)]);
    const dead = [...touched].filter((slot) => lastUse.get(slot) === number);
    return dead.length > 0 ? [step, { do: 'free', slots: dead }] : [step];
  });
  return { ...program, steps };
}
