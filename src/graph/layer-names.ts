/** Names of layers that have no key of their own. */
import type { Layer } from '../networks/notation.ts';

/** The layers of a chain are numbered by kind, from 1: conv1, conv2, maxPool1. */
export function chainPaths(layers: readonly Layer[], path: string): readonly string[] {
  const counts = new Map<string, number>();
  return layers.map((layer) => {
    const kind = layer.kind === 'filterConcat' ? 'concat' : layer.kind;
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    return `${path}/${kind}${number}`;
  });
}
