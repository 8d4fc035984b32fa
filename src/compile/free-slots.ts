/** Frees every slot right after the last step that uses it, so that a program holds no tensor longer than it needs. */
import { reads, type Slot, type Step, writes } from './program.ts';

/** The same steps with a `free` after each last use. Steps must not contain frees yet. */
export function freeSlots(steps: readonly Step[]): Step[] {
  const lastUse = new Map<Slot, number>();
  steps.forEach((step, number) => {
    for (const slot of [...writes(step), ...reads(step)]) lastUse.set(slot, number);
  });
  return steps.flatMap((step, number) => {
    const touched = new Set([...reads(step), ...writes(step)]);
    const dead = [...touched].filter((slot) => lastUse.get(slot) === number);
    return dead.length > 0 ? [step, { do: 'free', slots: dead } as const] : [step];
  });
}
