/**
 * Results that the forward pass does not keep because the backward pass can compute them again at the price of reading
 * their input once: batch normalisation with its ReLU, and concatenations of nothing but that and pooling. Of a
 * convolution and what follows it then only the convolution's own result is kept.
 */
import { type Call, type Program, reads, type Slot, type Step } from '../program.ts';
import { factsOf } from './facts/operators.ts';
import { makersOf, type Placed, readersOf, replaceReads } from './facts/steps.ts';

/** Bytes of results from which on it is worth its time: about 1% of a large network's step, but 5% of a small one's. */
const worthwhile = 128e6;

/** Whether the results that need not be kept are as much memory as that; `bytes` are those of one value. */
export function isRecomputationWorthwhile({ steps }: Program, { bytes }: { bytes: number }): boolean {
  const values = steps.reduce(
    (sum, step) => sum + (step.do === 'call' && factsOf(step).again ? valuesOf(step) : 0),
    0,
  );
  return values * bytes >= worthwhile;
}

const valuesOf = ({ shape = [0] }: Call): number => shape.reduce((product, size) => product * size, 1);

/** @param backward the gradient with which the backward pass begins. */
export function rematerialise(program: Program, { backward }: { backward: Slot }): Program {
  const makers = makersOf(program);
  const readers = readersOf(program);
  const begin = makers.get(backward)?.index ?? program.steps.length;
  const again = new Map<Slot, Slot>();
  let next = program.slots;
  const steps = program.steps.flatMap((step, index): readonly Step[] => {
    if (index <= begin) return [step];
    const computed = [...new Set(reads(step))].flatMap((slot) => (isCheap(slot) ? compute(slot) : []));
    return [...computed, replaceReads(step, again)];
  });
  return { ...program, steps, slots: next };

  function isCheap(slot: Slot): boolean {
    const made = makers.get(slot);
    if (!made || made.index > begin || made.call.to[0] !== slot) return false;
    if (factsOf(made.call).again) return true;
    return isConcatenation(made) && reads(made.call).every((part) => isPartOnly(part));
  }

  /** Whether nothing but its concatenation reads it, and it can be computed again with it. */
  function isPartOnly(slot: Slot): boolean {
    const made = makers.get(slot);
    if (!made || readers.get(slot)?.length !== 1) return false;
    return factsOf(made.call).repeatsInConcat === true || isCheap(slot);
  }

  /** The steps that compute it, unless others have. */
  function compute(slot: Slot): readonly Step[] {
    const call = makers.get(slot)?.call;
    if (!call || again.has(slot)) return [];
    const parts = isCheap(slot) && !factsOf(call).again ? reads(call) : [];
    const sources = isCheap(slot) ? parts : reads(call).filter(isCheap);
    const before = sources.flatMap(compute);
    const to = next++;
    again.set(slot, to);
    return [...before, replaceReads({ ...repeated(call), to: [to] }, again)];
  }
}

const isConcatenation = ({ call }: Placed): boolean => call.operator === 'aten::cat';

/** The call that gives the same result once more. */
function repeated(call: Call): Call {
  const { again } = factsOf(call);
  if (!again) return call;
  const results = again.results.map((index) => ({ slot: call.to[index] as Slot }));
  return { ...call, operator: again.operator, args: [...call.args.slice(0, again.args), ...results] };
}
