/** One store for several programs, for evaluation during training. */
import type { StoreSpec } from './program.ts';

/** The union by name; equal names must mean equal tensors. @throws TypeError naming a tensor that differs. */
export function mergeStores(...specs: readonly StoreSpec[]): StoreSpec {
  return {
    tensors: union(specs.map(({ tensors }) => tensors)),
    views: union(specs.map(({ views }) => views)),
    computed: [...new Set(specs.flatMap(({ computed = [] }) => computed))],
  };
}

function union<T extends { readonly name: string }>(lists: readonly (readonly T[])[]): T[] {
  const byName = new Map<string, T>();
  for (const entry of lists.flat()) {
    const known = byName.get(entry.name);
    if (known && JSON.stringify(known) !== JSON.stringify(entry)) {
      throw new TypeError(`two programs declare different tensors named '${entry.name}'`);
    }
    byName.set(entry.name, entry);
  }
  return [...byName.values()];
}
