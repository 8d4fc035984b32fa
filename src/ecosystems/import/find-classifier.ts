/**
 * Finds the classifier of a fine-tuned network, which people call as they like: `fc.1` after a dropout, `classifier`, `head`,
 * `dense`. It is the only linear layer that reads the network's features.
 */
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

/** @throws WeightsError if the features are read by several layers, or the classifier has several. */
export function findClassifier(file: TensorFile, search: ClassifierSearch): FoundClassifier {
  const { names, free, features, weight, bias, path, isReplaced } = search;
  const nothing = { names, leftOut: new Set<string>(), decisions: [] };
  if (names.has(weight) || names.has(bias)) return nothing;
  const linears = linearsIn(file, search);
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
  const after = linears.filter((layer) => layer !== found && layer.inputs === found.outputs);
  if (after.length > 0)
    throw new WeightsError(
      `${path}: its classifier has several linear layers: ${shown([found, ...after])}; the networks here have one: --reset-classifier N leaves them out and imports the rest`,
    );
  const theirBias = module + (/[^./]+$/.exec(bias)?.[0] ?? '');
  const from = free.get(theirBias);
  const isSame = (name: string) => name === found.name || name === theirBias;
  return {
    names: new Map([
      ...[...names].filter(([name]) => !isSame(name)),
      [weight, found.from],
      ...(from === undefined ? [] : ([[bias, from]] as const)),
    ]),
    leftOut: new Set(),
    decisions: [`classifier read from ${quoted(found.from)}, ${found.outputs} outputs`],
  };
}

function linearsIn(file: TensorFile, { free, layout }: ClassifierSearch): Linear[] {
  return [...free].flatMap(([name, from]) => {
    const shape = file.tensors.get(from)?.shape ?? [];
    const [outputs, inputs] = layout === 'torch' ? shape : shape.toReversed();
    return shape.length === 2 && inputs !== undefined && outputs !== undefined
      ? [{ name, from, inputs, outputs }]
      : [];
  });
}
