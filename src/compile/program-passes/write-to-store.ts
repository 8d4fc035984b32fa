/** Writes a result that is only copied into the store directly there, where its operator can. */
import { type Program, reads, type Slot, type Step } from '../program.ts';
import { factsOf } from './facts/operators.ts';
import { makersOf, readersOf, slotAt, withNamed } from './facts/steps.ts';

export function writeToStore(program: Program): Program {
  const makers = makersOf(program);
  const readers = readersOf(program);
  const stored = new Set(program.steps.flatMap((step) => (step.do === 'load' ? [step.to] : [])));
  const steps: (Step | undefined)[] = [...program.steps];
  program.steps.forEach((step, index) => {
    if (step.do !== 'call' || step.operator !== 'aten::copy_') return;
    const [target, value] = [slotAt(step, 0), slotAt(step, 1)];
    const maker = value === undefined ? undefined : makers.get(value);
    if (target === undefined || value === undefined || !maker) return;
    const result = maker.call.to.indexOf(value);
    const name = factsOf(maker.call).out?.[result];
    if (!name || !stored.has(target) || readers.get(value)?.length !== 1) return;
    if (isReadBetween(target, maker.index, index)) return;
    // An earlier copy may already have given this operator an `out` argument.
    const call = steps[maker.index];
    if (call?.do !== 'call' || call.named?.[name] !== undefined) return;
    steps[maker.index] = withNamed(call, name, target);
    steps[index] = undefined;
  });
  return { ...program, steps: steps.filter((step) => step !== undefined) };

  function isReadBetween(slot: Slot, begin: number, end: number): boolean {
    return program.steps.slice(begin, end).some((step) => reads(step).includes(slot));
  }
}
