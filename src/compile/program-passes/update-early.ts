/**
 * Moves each step that updates a stored tensor from a computed value, as optimisers do, up to where that value exists and the
 * tensor is no longer read: no gradient is kept until the end, and it is read while still in the cache. Works for any
 * optimiser.
 */
import { type Call, type Program, reads, type Step, type StoreSpec } from '../program.ts';
import { isInPlace } from './facts/operators.ts';
import { makersOf } from './facts/steps.ts';

/** The range of elements of a stored tensor that a name refers to. */
interface Range {
  readonly tensor: string;
  readonly begin: number;
  readonly end: number;
}

export function updateEarly(program: Program, { store }: { store: StoreSpec }): Program {
  const makers = makersOf(program);
  const ranges = rangesOf(store);
  const loaded = new Map(
    program.steps.flatMap((step) => {
      const range = step.do === 'load' ? ranges.get(step.name) : undefined;
      return step.do === 'load' && range ? [[step.to, range] as const] : [];
    }),
  );
  /** The uses of each tensor's parts, in order. */
  const uses = new Map<string, { readonly index: number; readonly range: Range }[]>();
  program.steps.forEach((step, index) => {
    for (const slot of new Set(reads(step))) {
      const range = loaded.get(slot);
      if (!range) continue;
      const known = uses.get(range.tensor);
      if (known) known.push({ index, range });
      else uses.set(range.tensor, [{ index, range }]);
    }
  });
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
      loaded.has(first) &&
      reads(call).some((slot) => makers.has(slot))
    );
  }

  /** The last step before `index` that makes the slot or, of a stored tensor, uses any of its elements. */
  function readyAfter(slot: number, index: number): number {
    const range = loaded.get(slot);
    if (!range) return makers.get(slot)?.index ?? -1;
    const { begin, end } = range;
    const all = uses.get(range.tensor) ?? [];
    for (let last = all.length - 1; last >= 0; last--) {
      const use = all[last] as { readonly index: number; readonly range: Range };
      if (use.index < index && use.range.begin < end && begin < use.range.end) return use.index;
    }
    return -1;
  }
}

function rangesOf({ tensors, views }: StoreSpec): ReadonlyMap<string, Range> {
  const whole = tensors.map(({ name }) => [name, { tensor: name, begin: 0, end: Infinity }] as const);
  const parts = views.map(({ name, of, offset, shape, strides }) => {
    const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset);
    return [name, { tensor: of, begin: offset, end: last + 1 }] as const;
  });
  return new Map([...whole, ...parts]);
}
