/**
 * Finds the classifier of a fine-tuned network, which people call as they like: `fc.1` after a dropout, `classifier`, `head`,
 * `dense`. It is the only linear layer that reads the network's features, or hidden layers stand between: each reads the outputs of the
 * one before it.
 */
import { hiddenKey } from '../../networks/networks.ts';
import { quoted } from '../../printable.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { Layout } from '../layouts.ts';

export interface ClassifierSearch {
  readonly path: string;
  readonly layout: Layout;
  /** Number of features that the network gives. */
  readonly features: number;
  /** Canonical names of the classifier's parameters. */
  readonly weight: string;
  readonly bias: string;
  /** Tensor names in the file by canonical names. */
  readonly names: ReadonlyMap<string, string>;
  /** The same, of tensors that are no parameter of the network, inside and outside of its prefix. */
  readonly free: ReadonlyMap<string, string>;
  /** Whether the classifier is replaced anyway. */
  readonly isReplaced: boolean;
  /** Whether every free tensor that is not a convolution belongs to the head. */
  readonly isFlat: boolean;
}

export interface FoundClassifier {
  /** The names, with the classifier under its canonical ones. */
  readonly names: ReadonlyMap<string, string>;
  /** Canonical names of tensors of a classifier that is replaced. */
  readonly leftOut: ReadonlySet<string>;
  /** Units of the hidden layers, in order, which have our names of parameters in `names`. */
  readonly hidden: readonly number[];
  readonly decisions: readonly string[];
}

interface Linear {
  readonly name: string;
  readonly from: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** The module of a tensor, with the separator after it. */
export const moduleOf = (name: string | undefined): string | undefined =>
  /^(.*[./])[^./]+$/.exec(name ?? '')?.[1];

/** @throws WeightsError if the features are read by several layers. */
export function findClassifier(file: TensorFile, search: ClassifierSearch): FoundClassifier {
  const { names, free, features, weight, bias, path, isReplaced } = search;
  const nothing = { names, leftOut: new Set<string>(), hidden: [], decisions: [] };
  const own = names.get(weight);
  const linears = linearsIn(file, search, own === undefined ? [] : [[weight, own]]);
  const isDirect = linears.some(({ from, inputs }) => from === own && inputs === features);
  if (isDirect || (own === undefined && names.has(bias))) return nothing;
  const readers = linears.filter(({ inputs }) => inputs === features);
  const [found] = readers;
  if (!found) return nothing;
  const module = moduleOf(found.name) ?? '';
  if (isReplaced) {
    // The whole head: `fc.0`, `fc.3` and what stands between them.
    const head = module.replace(/\d+[./]$/, '');
    const inHead = ([name, from]: readonly [string, string]) =>
      search.isFlat ? (file.tensors.get(from)?.shape.length ?? 0) <= 2 : head !== '' && name.startsWith(head);
    const leftOut = [...free].filter(inHead).map(([name]) => name);
    return { ...nothing, leftOut: new Set(leftOut) };
  }
  const shown = (layers: readonly Linear[]) =>
    layers.map(({ from, inputs, outputs }) => `${quoted(from)} (${inputs} to ${outputs})`).join(', ');
  if (readers.length > 1)
    throw new WeightsError(
      `${path}: several layers read its ${features} features: ${shown(readers)}; the networks here have one classifier: import the rest with --reset-classifier N, or save one of them`,
    );
  const chain = chainFrom(found, linears);
  const last = chain.at(-1) as Linear;
  const biasPart = /[^./]+$/.exec(bias)?.[0] ?? '';
  const ours = chain.map((layer, index) => {
    const theirBias = (moduleOf(layer.name) ?? '') + biasPart;
    const isLast = layer === last;
    return {
      theirs: [layer.name, theirBias],
      weight: [isLast ? weight : hiddenName(index, 'weight'), layer.from] as const,
      bias: [isLast ? bias : hiddenName(index, 'bias'), free.get(theirBias) ?? names.get(theirBias)] as const,
    };
  });
  const theirs = new Set(ours.flatMap((layer) => layer.theirs));
  const read = ours.flatMap((layer) => [layer.weight, layer.bias]);
  return {
    names: new Map([
      ...[...names].filter(([name]) => !theirs.has(name)),
      ...read.flatMap(([name, from]) => (from === undefined ? [] : [[name, from] as const])),
    ]),
    leftOut: new Set(),
    hidden: chain.slice(0, -1).map(({ outputs }) => outputs),
    decisions: [
      chain.length === 1
        ? `classifier read from ${quoted(last.from)}, ${last.outputs} outputs`
        : `classifier with hidden layers read from ${shown(chain)}`,
    ],
  };
}

/** Our name of a hidden layer's parameter, which no ecosystem has a name for. */
const hiddenName = (index: number, part: 'weight' | 'bias') => `${hiddenKey}/dense${index + 1}/${part}`;

/** Of several layers that fit, as after one with as many outputs as inputs, the next by name. */
function chainFrom(first: Linear, linears: readonly Linear[]): readonly Linear[] {
  const { compare } = new Intl.Collator('en', { numeric: true });
  const rest = linears.filter((layer) => layer !== first).sort((a, b) => compare(a.name, b.name));
  const chain = [first];
  for (;;) {
    const { outputs } = chain.at(-1) as Linear;
    const next = rest.findIndex(({ inputs }) => inputs === outputs);
    if (next < 0) return chain;
    chain.push(...rest.splice(next, 1));
  }
}

function linearsIn(
  file: TensorFile,
  { free, layout }: ClassifierSearch,
  own: readonly (readonly [name: string, from: string])[],
): Linear[] {
  return [...free, ...own].flatMap(([name, from]) => {
    const shape = file.tensors.get(from)?.shape ?? [];
    const [outputs, inputs] = layout === 'torch' ? shape : shape.toReversed();
    return shape.length === 2 && inputs !== undefined && outputs !== undefined
      ? [{ name, from, inputs, outputs }]
      : [];
  });
}
