/** The prefix that wrappers put before all names of a network: `module.`, `model.`, `backbone.`, `timm_model.`, `scope/`. */

export interface Prefixed {
  /** Whether all anchors are there, under one prefix at least. */
  readonly found: boolean;
  readonly prefix: string;
  /** Names in the file by names without the prefix. */
  readonly names: ReadonlyMap<string, string>;
  readonly outside: ReadonlyMap<string, string>;
  /** Other prefixes that would do as well, of which none is preferred. */
  readonly alternatives: readonly string[];
  /** Other prefixes that the one of averaged weights was preferred to. */
  readonly averaged: readonly string[];
}

const averagedPrefix = /(^|[._/])(ema|swa|averaged?|avg)([._/]|$)/i;

/** Takes the prefix off the names: the one that all anchors stand under. Averaged weights are preferred, as in `.pth` files. */
export function withoutPrefix(names: ReadonlyMap<string, string>, anchors: readonly string[]): Prefixed {
  const prefixes = prefixesIn(names, anchors);
  const chosen =
    prefixes.find((prefix) => averagedPrefix.test(prefix)) ?? (prefixes.includes('') ? '' : prefixes[0]);
  const prefix = chosen ?? '';
  const others = prefixes.filter((other) => other !== prefix);
  const isAveraged = averagedPrefix.test(prefix);
  const rest = {
    found: chosen !== undefined,
    prefix,
    alternatives: isAveraged || prefix === '' ? [] : others,
    averaged: isAveraged ? others : [],
  };
  if (prefix === '') return { ...rest, names, outside: new Map() };
  const isInside = ([name]: readonly [string, string]) => name.startsWith(prefix);
  return {
    ...rest,
    names: new Map([...names].filter(isInside).map(([name, from]) => [name.slice(prefix.length), from])),
    outside: new Map([...names].filter((pair) => !isInside(pair))),
  };
}

function prefixesIn(names: ReadonlyMap<string, string>, anchors: readonly string[]): string[] {
  const [first, ...others] = anchors;
  if (first === undefined) return [];
  const prefixes: string[] = [];
  for (const name of names.keys()) {
    if (!name.endsWith(first)) continue;
    const prefix = name.slice(0, -first.length);
    const isWhole = prefix === '' || prefix.endsWith('.') || prefix.endsWith('/');
    if (isWhole && others.every((anchor) => names.has(prefix + anchor))) prefixes.push(prefix);
  }
  return prefixes;
}
