/** Indices that belong together. Pure. */

/** Groups of several indices with the same key, in the order of the indices; those without a key are in none. */
export function groupsOf<Key>(
  indices: Iterable<number>,
  keyOf: (index: number) => Key | undefined,
): number[][] {
  const groups = new Map<Key, number[]>();
  for (const index of indices) {
    const key = keyOf(index);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(index);
    else groups.set(key, [index]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}
