/**
 * Moves each step that updates a stored tensor from a computed value, as optimisers do, up to where that value exists and the
 * tensor is no longer read: no gradient is kept until the end, and it is read while still in the cache. Works for any
 * optimiser.
 */
import { type Call, type Program, reads, type Step, type StoreSpec } from '../program.ts';
import { isInPlace } from './facts/operators.ts';
import { makersOf } from './facts/steps.ts';
import { StoredUses } from './facts/stored.ts';

export function updateEarly(program: Program, { store }: { store: StoreSpec }): Program {
  const makers = makersOf(program);
  const uses = new StoredUses(program, store);
  /** Moved updates, by the index of the step that they follow. */
  const moved = new Map<number, Call[]>();
  const stays = program.steps.map((step, index) => {
    if (step.do !== 'call' || !isUpdate(step)) return true;
    const after = Math.max(...reads(step).map((slot) => readyAfter(slot, index)));
    if (after >= index - 1) return true;
    moved.set(after, [...(moved.get(after) ?? []), step]);
    return false;
  });
  const steps = program.steps.flatMap((step, index): readonly Step[] => {
    const layer = step.do === 'call' ? { layer: step.layer } : {};
    const updates = (moved.get(index) ?? []).map((update) => ({ ...update, ...layer }));
    return stays[index] ? [step, ...updates] : updates;
  });
  return { ...program, steps };

  function isUpdate(call: Call): boolean {
    const [first] = reads(call);
    return (
      isInPlace(call) &&
      first !== undefined &&
      uses.isStored(first) &&
      reads(call).some((slot) => makers.has(slot))
    );
  }

  /** The last step before `index` that makes the slot or, of a stored tensor, uses any of its elements. */
  function readyAfter(slot: number, index: number): number {
    return uses.isStored(slot) ? uses.lastBefore(slot, index) : (makers.get(slot)?.index ?? -1);
  }
}
