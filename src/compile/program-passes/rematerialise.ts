/**
 * Rematerialisation: drops forward results that the backward pass can recompute for one read of their input: batch
 * normalisation with its ReLU, and concatenations of only such results and pooling. Of a convolution and what follows it,
 * only the convolution's result is then kept.
 */
import { type Call, type Program, reads, type Slot, type Step } from '../program.ts';
import { factsOf } from './facts/operators.ts';
import { makersOf, type Placed, readersOf, replaceReads } from './facts/steps.ts';

/** Minimum bytes saved for it to pay off: it costs about 1% of a large network's step, but 5% of a small one's. */
const worthwhile = 128e6;

/** Whether the dropped results save enough memory. @param bytes size of one value. */
export function isRecomputationWorthwhile({ steps }: Program, { bytes }: { bytes: number }): boolean {
  const values = steps.reduce(
    (sum, step) => sum + (step.do === 'call' && factsOf(step).recompute ? valuesOf(step) : 0),
    0,
  );
  return values * bytes >= worthwhile;
}

const valuesOf = ({ shape = [0] }: Call): number => shape.reduce((product, size) => product * size, 1);

/** @param backward the gradient that the backward pass starts from. */
export function rematerialise(program: Program, { backward }: { backward: Slot }): Program {
  const makers = makersOf(program);
  const readers = readersOf(program);
  const begin = makers.get(backward)?.index ?? program.steps.length;
  const recomputed = new Map<Slot, Slot>();
  let next = program.slots;
  const steps = program.steps.flatMap((step, index): readonly Step[] => {
    if (index <= begin) return [step];
    const before = [...new Set(reads(step))].flatMap((slot) => (isCheap(slot) ? compute(slot) : []));
    return [...before, replaceReads(step, recomputed)];
  });
  return { ...program, steps, slots: next };

  function isCheap(slot: Slot): boolean {
    const maker = makers.get(slot);
    if (!maker || maker.index > begin || maker.call.to[0] !== slot) return false;
    if (factsOf(maker.call).recompute) return true;
    return isConcatenation(maker) && reads(maker.call).every((part) => isPartOnly(part));
  }

  /** Whether only its concatenation reads it, and it can be recomputed together with that. */
  function isPartOnly(slot: Slot): boolean {
    const maker = makers.get(slot);
    if (!maker || readers.get(slot)?.length !== 1) return false;
    return factsOf(maker.call).repeatsInConcat === true || isCheap(slot);
  }

  /** The steps that recompute a slot; none if it is recomputed already. */
  function compute(slot: Slot): readonly Step[] {
    const call = makers.get(slot)?.call;
    if (!call || recomputed.has(slot)) return [];
    const parts = isCheap(slot) && !factsOf(call).recompute ? reads(call) : [];
    const sources = isCheap(slot) ? parts : reads(call).filter(isCheap);
    const before = sources.flatMap(compute);
    const to = next++;
    recomputed.set(slot, to);
    return [...before, replaceReads({ ...recomputation(call), to: [to] }, recomputed)];
  }
}

const isConcatenation = ({ call }: Placed): boolean => call.operator === 'aten::cat';

/** The call that computes the same result again. */
function recomputation(call: Call): Call {
  const { recompute } = factsOf(call);
  if (!recompute) return call;
  const results = recompute.results.map((index) => ({ slot: call.to[index] as Slot }));
  return { ...call, operator: recompute.operator, args: [...call.args.slice(0, recompute.args), ...results] };
}
