/** Loads every stored tensor and input right before its first reader, or not at all. */
import { type Program, reads, type Slot, type Step } from '../../program.ts';

/** A pass may have moved a reader above the load: loads are placed anew, wherever they stood. */
export function loadLate(program: Program): Program {
  const sources = new Map<Slot, Step>();
  for (const step of program.steps) if (isSource(step)) sources.set(step.to, step);
  const steps: Step[] = [];
  for (const step of program.steps) {
    if (isSource(step)) continue;
    for (const slot of reads(step)) {
      const source = sources.get(slot);
      if (!source) continue;
      steps.push(source);
      sources.delete(slot);
    }
    steps.push(step);
  }
  return { ...program, steps };
}

const isSource = (step: Step): step is Extract<Step, { do: 'load' | 'input' }> =>
  step.do === 'load' || step.do === 'input';
