/** Helpers for program passes: which call makes a slot, which steps read it, and replacing slots. */
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

/** A call and its index in the program. */
export interface Placed {
  readonly call: Call;
  readonly index: number;
}

/** The call that makes each slot. */
export function makersOf({ steps }: Program): ReadonlyMap<Slot, Placed> {
  const makers = new Map<Slot, Placed>();
  steps.forEach((step, index) => {
    if (step.do === 'call') for (const slot of writes(step)) makers.set(slot, { call: step, index });
  });
  return makers;
}

/** The indices of the steps that read each slot, once per read. */
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

/** The slot of a positional argument, if it has one. */
export const slotAt = ({ args }: Call, index: number): Slot | undefined => slotsOf(args[index] ?? null)[0];

/** The step with the slots that it reads replaced. */
export function replaceReads(step: Step, replaced: ReadonlyMap<Slot, Slot>): Step {
  if (!reads(step).some((slot) => replaced.has(slot))) return step;
  const replacementOf = (slot: Slot): Slot => replaced.get(slot) ?? slot;
  if (step.do === 'output' || step.do === 'store') return { ...step, from: replacementOf(step.from) };
  if (step.do !== 'call') return step;
  const replace = (argument: Argument): Argument => {
    if (typeof argument !== 'object' || argument === null) return argument;
    if ('slot' in argument) return { slot: replacementOf(argument.slot) };
    return 'slots' in argument ? { slots: argument.slots.map(replacementOf) } : argument;
  };
  const named =
    step.named &&
    Object.fromEntries(Object.entries(step.named).map(([name, argument]) => [name, replace(argument)]));
  return { ...step, args: step.args.map(replace), ...(named && { named }) };
}

/** The call with one more named argument. */
export const withNamed = (call: Call, name: string, slot: Slot): Call => ({
  ...call,
  named: { ...call.named, [name]: { slot } },
});
