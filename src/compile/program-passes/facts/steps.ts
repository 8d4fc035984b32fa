/** What every pass over programs needs: who makes a slot, who reads it, and putting other slots in their place. */
import {
  type Argument,
  type Call,
  type Program,
  reads,
  type Slot,
  type Step,
  slotsOf,
  writes,
} from '../../program.ts';

/** A call and where it stands. */
export interface Placed {
  readonly call: Call;
  readonly index: number;
}

/** For each slot that a call makes, the call. */
export function makersOf({ steps }: Program): ReadonlyMap<Slot, Placed> {
  const makers = new Map<Slot, Placed>();
  steps.forEach((step, index) => {
    if (step.do === 'call') for (const slot of writes(step)) makers.set(slot, { call: step, index });
  });
  return makers;
}

/** For each slot the numbers of the steps that read it, once for each time. */
export function readersOf({ steps }: Program): ReadonlyMap<Slot, readonly number[]> {
  const readers = new Map<Slot, number[]>();
  steps.forEach((step, index) => {
    for (const slot of reads(step)) {
      const known = readers.get(slot);
      if (known) known.push(index);
      else readers.set(slot, [index]);
    }
  });
  return readers;
}

/** The slot of a positional argument, if it is one. */
export const slotAt = ({ args }: Call, index: number): Slot | undefined => slotsOf(args[index] ?? null)[0];

/** The step with other slots in place of those that it reads. */
export function replaceReads(step: Step, replaced: ReadonlyMap<Slot, Slot>): Step {
  if (!reads(step).some((slot) => replaced.has(slot))) return step;
  const of = (slot: Slot): Slot => replaced.get(slot) ?? slot;
  if (step.do === 'output' || step.do === 'store') return { ...step, from: of(step.from) };
  if (step.do !== 'call') return step;
  const other = (argument: Argument): Argument => {
    if (typeof argument !== 'object' || argument === null) return argument;
    if ('slot' in argument) return { slot: of(argument.slot) };
    return 'slots' in argument ? { slots: argument.slots.map(of) } : argument;
  };
  const named =
    step.named && Object.fromEntries(Object.entries(step.named).map(([name, each]) => [name, other(each)]));
  return { ...step, args: step.args.map(other), ...(named && { named }) };
}

/** The call with one more argument by name. */
export const withNamed = (call: Call, name: string, slot: Slot): Call => ({
  ...call,
  named: { ...call.named, [name]: { slot } },
});
