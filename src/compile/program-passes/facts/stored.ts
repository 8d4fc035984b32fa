/** Which steps use which elements of the store's tensors, under whatever names. */
import { type Program, reads, type Slot, type StoreSpec } from '../../program.ts';

/** The range of elements of a stored tensor that a name refers to. */
interface Range {
  readonly tensor: string;
  readonly begin: number;
  readonly end: number;
}

interface Use {
  readonly index: number;
  readonly range: Range;
}

export class StoredUses {
  /** What each slot that a load makes refers to. */
  readonly #loaded = new Map<Slot, Range>();
  /** The uses of each tensor's parts, in order. */
  readonly #uses = new Map<string, Use[]>();

  constructor({ steps }: Program, store: StoreSpec) {
    const ranges = rangesOf(store);
    for (const step of steps) {
      const range = step.do === 'load' ? ranges.get(step.name) : undefined;
      if (step.do === 'load' && range) this.#loaded.set(step.to, range);
    }
    steps.forEach((step, index) => {
      for (const slot of new Set(reads(step))) {
        const range = this.#loaded.get(slot);
        if (!range) continue;
        const known = this.#uses.get(range.tensor);
        if (known) known.push({ index, range });
        else this.#uses.set(range.tensor, [{ index, range }]);
      }
    });
  }

  isStored(slot: Slot): boolean {
    return this.#loaded.has(slot);
  }

  /** The last of these steps before `index` that uses any element of a stored slot; −1 if there is none. */
  lastBefore(slot: Slot, index: number, counts: (index: number) => boolean = () => true): number {
    const range = this.#loaded.get(slot);
    if (!range) return -1;
    const { begin, end } = range;
    const all = this.#uses.get(range.tensor) ?? [];
    for (let last = all.length - 1; last >= 0; last--) {
      const use = all[last] as Use;
      if (use.index < index && use.range.begin < end && begin < use.range.end && counts(use.index))
        return use.index;
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
