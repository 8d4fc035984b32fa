/**
 * Writes results over an argument that is not read again, where their operator works element by element: a gradient over the
 * convolution's result that it was computed from, which is still in the cache; a ReLU or a residual sum over its input.
 */
import { type Call, type Program, type Step, slotsOf } from '../program.ts';
import { Memory } from './facts/memory.ts';
import { factsOf } from './facts/operators.ts';
import { slotAt, withNamed } from './facts/steps.ts';

export function reuseResults(program: Program): Program {
  const memory = new Memory(program);
  const steps = program.steps.map((step, index): Step => {
    if (step.do !== 'call') return step;
    let call: Call = step;
    for (const [result, argument] of (factsOf(step).over ?? []).entries()) {
      call = overArgument(call, { result, argument, index });
    }
    return call;
  });
  return { ...program, steps };

  function overArgument(
    call: Call,
    { result, argument, index }: { result: number; argument: number; index: number },
  ): Call {
    const { out = [], inPlace, writesParts } = factsOf(call);
    const name = out[result] ?? '';
    const to = call.to[result];
    const slot = slotAt(call, argument);
    const hasTarget = slotsOf(call.named?.[name] ?? null).length > 0;
    if (slot === undefined || typeof to !== 'number' || hasTarget) return call;
    const region = memory.regionOf(slot);
    if (!(memory.isWhole(slot) || writesParts) || !memory.isDeadAfter(region, index)) return call;
    memory.move(to, region);
    return inPlace ? { ...call, operator: inPlace } : withNamed(call, name, slot);
  }
}
