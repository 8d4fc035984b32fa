/** Loads every stored tensor and input right before its first reader, or not at all. */
import { type Program, reads, type Slot, type Step } from '../../program.ts';

export function loadLate(program: Program): Program {
  const sources = new Map<Slot, Step>();
  for (const step of program.steps) if (step.do === 'load' || step.do === 'input') sources.set(step.to, step);
  const steps = program.steps.flatMap((step): readonly Step[] => {
    if (step.do === 'load' || step.do === 'input') return [];
    const first = [...new Set(reads(step))].flatMap((slot) => sources.get(slot) ?? []);
    for (const { to } of first as readonly { to: Slot }[]) sources.delete(to);
    return [...first, step];
  });
  return { ...program, steps };
}
