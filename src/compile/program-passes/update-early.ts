/**
 * Each step that changes a stored tensor by a computed value, as an optimiser does, moves up to where that value exists
 * and nobody reads the tensor any more: then no gradient is kept until the end, and it is read where it was just written,
 * in the cache. Which optimiser it is does not matter.
 */
import { type Call, type Program, reads, type Step, type StoreSpec } from '../program.ts';
import { isInPlace } from './facts/operators.ts';
import { makersOf } from './facts/steps.ts';

/** Elements of one tensor of the store that a name stands for. */
interface Stretch {
  readonly tensor: string;
  readonly begin: number;
  readonly end: number;
}

export function updateEarly(program: Program, { store }: { store: StoreSpec }): Program {
  const makers = makersOf(program);
  const stretches = stretchesOf(store);
  const loaded = new Map(
    program.steps.flatMap((step) => {
      const stretch = step.do === 'load' ? stretches.get(step.name) : undefined;
      return step.do === 'load' && stretch ? [[step.to, stretch] as const] : [];
    }),
  );
  /** By tensor, every use of a part of it, in order. */
  const uses = new Map<string, { readonly index: number; readonly stretch: Stretch }[]>();
  program.steps.forEach((step, index) => {
    for (const slot of new Set(reads(step))) {
      const stretch = loaded.get(slot);
      if (!stretch) continue;
      const known = uses.get(stretch.tensor);
      if (known) known.push({ index, stretch });
      else uses.set(stretch.tensor, [{ index, stretch }]);
    }
  });
  /** By the number of the step after which they come. */
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
    const stretch = loaded.get(slot);
    if (!stretch) return makers.get(slot)?.index ?? -1;
    const { begin, end } = stretch;
    const last = uses
      .get(stretch.tensor)
      ?.findLast((use) => use.index < index && use.stretch.begin < end && begin < use.stretch.end);
    return last?.index ?? -1;
  }
}

function stretchesOf({ tensors, views }: StoreSpec): ReadonlyMap<string, Stretch> {
  const whole = tensors.map(({ name }) => [name, { tensor: name, begin: 0, end: Infinity }] as const);
  const parts = views.map(({ name, of, offset, shape, strides }) => {
    const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset);
    return [name, { tensor: of, begin: offset, end: last + 1 }] as const;
  });
  return new Map([...whole, ...parts]);
}
