/** Leaves the sum of two gradients to the operator that reads it, where that operator can add them itself. */
import type { Program, Slot, Step } from '../program.ts';
import { factsOf } from './facts/operators.ts';
import { makersOf, readersOf, slotAt } from './facts/steps.ts';

export function absorbSums(program: Program): Program {
  const makers = makersOf(program);
  const readers = readersOf(program);
  const absorbed = new Set<Slot>();
  const steps = program.steps.map((step): Step => {
    const adds = step.do === 'call' ? factsOf(step).adds : undefined;
    if (step.do !== 'call' || !adds || step.args[adds[1]] !== null) return step;
    const gradient = slotAt(step, adds[0]);
    const sum = gradient === undefined ? undefined : makers.get(gradient)?.call;
    if (gradient === undefined || sum?.operator !== 'aten::add.Tensor' || sum.named) return step;
    if (readers.get(gradient)?.length !== 1 || [0, 1].some((index) => isSum(slotAt(sum, index)))) return step;
    absorbed.add(gradient);
    const [first = null, second = null] = sum.args;
    return { ...step, args: step.args.with(adds[0], first).with(adds[1], second) };
  });
  const isAbsorbed = (step: Step) => step.do === 'call' && absorbed.has(step.to[0] ?? -1);
  return { ...program, steps: steps.filter((step) => !isAbsorbed(step)) };

  /** With more than two gradients every partial sum is rounded, the last one too. */
  function isSum(slot: Slot | undefined): boolean {
    return slot !== undefined && makers.get(slot)?.call.operator === 'aten::add.Tensor';
  }
}
