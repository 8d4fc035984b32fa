/** Names of layers: keys, numbers where there is no key, and the auxiliary head's prefix. */
import type { Layer } from '../networks/notation.ts';
import type { Head } from './graph.ts';

/** Prefix of everything in the auxiliary head. */
export const auxiliaryName = 'auxiliary';

/** The path of a layer by its key: `logits`, `auxiliary/logits`. */
export const keyPath = (head: Head, key: string): string =>
  head === 'auxiliary' ? `${auxiliaryName}/${key}` : key;

/** Paths of the layers of a chain, numbered by kind from 1: conv1, conv2, maxPool1. */
export function chainPaths(layers: readonly Layer[], path: string): readonly string[] {
  const counts = new Map<string, number>();
  return layers.map((layer) => {
    const kind = layer.kind === 'filterConcat' ? 'concat' : layer.kind;
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    return `${path}/${kind}${number}`;
  });
}

/** The layer of a parameter: `stem/conv1` of `stem/conv1/weight`. */
export const layerOf = (parameterName: string): string =>
  parameterName.slice(0, parameterName.lastIndexOf('/'));
