/** Classes that are known by an identifier, such as ImageNet's synsets, under the names that people read. Pure. */

/** A class as a file of names, or the data themselves, know it. */
export interface NamedClass {
  /** Unique: a synset, the name of a folder. */
  readonly id: string;
  readonly name?: string | undefined;
}

export interface ClassNames {
  readonly classes: readonly string[];
  readonly classIds: readonly string[];
  /** Names that two classes share: they have their identifier behind them. */
  readonly shared: readonly string[];
}

/** Names must be unique: two cranes are `crane (n02012849)` and `crane (n03126707)`. */
export function uniqueNames(entries: readonly NamedClass[]): ClassNames {
  const uses = new Map<string, number>();
  for (const { id, name = id } of entries) uses.set(name, (uses.get(name) ?? 0) + 1);
  const isShared = (name: string) => (uses.get(name) ?? 0) > 1;
  return {
    classes: entries.map(({ id, name = id }) => (isShared(name) && name !== id ? `${name} (${id})` : name)),
    classIds: entries.map(({ id }) => id),
    shared: [...uses.keys()].filter(isShared),
  };
}
