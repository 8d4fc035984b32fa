/** Every tensor of the store and every input is fetched right before the step that reads it first, or not at all. */
import { type Program, reads, type Slot, type Step } from '../../program.ts';

export function loadLate(program: Program): Program {
  const fetched = new Map<Slot, Step>();
  for (const step of program.steps) if (step.do === 'load' || step.do === 'input') fetched.set(step.to, step);
  const steps = program.steps.flatMap((step): readonly Step[] => {
    if (step.do === 'load' || step.do === 'input') return [];
    const first = [...new Set(reads(step))].flatMap((slot) => fetched.get(slot) ?? []);
    for (const { to } of first as readonly { to: Slot }[]) fetched.delete(to);
    return [...first, step];
  });
  return { ...program, steps };
}
