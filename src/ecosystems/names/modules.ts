/**
 * Names of PyTorch modules, from rows of our name and theirs. `#` is a number on both sides, matched in order. On the right
 * `#-1` counts from 0 what we count from 1, `#+6` adds 6, and `@b` is the letter b, c, d… for 0, 1, 2….
 */
import type { Graph, Role } from '../../graph/graph.ts';
import { layerOf } from '../../graph/layer-names.ts';
import type { DialectNames } from '../dialect.ts';

export type Row = readonly [ours: string, theirs: string];

/** The first matching row wins. `count` is for rows that depend on how often a layer is repeated. */
export type Rows = readonly Row[] | CountedRows;
export type CountedRows = (count: (layer: string) => number) => readonly Row[];

type Suffixes = Readonly<Partial<Record<Role, string>>>;

/** Suffixes of the layer's name. A layer with batch normalisation has its convolution under `conv`. */
const suffixes: Readonly<Record<Role, string>> = {
  convWeight: '.conv.weight',
  residualWeight: '.weight',
  convBias: '.bias',
  linearWeight: '.weight',
  hiddenWeight: '.weight',
  linearBias: '.bias',
  gamma: '.bn.weight',
  beta: '.bn.bias',
  movingMean: '.bn.running_mean',
  movingVariance: '.bn.running_var',
};

/** The counters that PyTorch's batch normalisation and AveragedModel keep. */
export const moduleBookkeeping = /(^|\.)(num_batches_tracked|n_averaged)$/;

/** `whole` lists layers whose parameters have complete names instead of suffixes. */
export function moduleNames(rows: Rows, whole: Readonly<Record<string, Suffixes>> = {}): DialectNames {
  const rowsOf = (graph: Graph): readonly Row[] =>
    typeof rows === 'function' ? rows((layer) => repetitionsOf(graph, layer)) : rows;
  return {
    names: (graph) => {
      const resolved = rowsOf(graph);
      return ({ name, role }) => {
        const layer = layerOf(name);
        if (Object.hasOwn(whole, layer)) return whole[layer]?.[role];
        const theirs = translate(layer, resolved);
        return theirs === undefined ? undefined : theirs + suffixes[role];
      };
    },
    stages: (graph) => {
      const resolved = rowsOf(graph);
      return (endpoint) => translate(endpoint, resolved) ?? blockName(endpoint, resolved);
    },
  };
}

function repetitionsOf({ network }: Graph, key: string): number {
  const layer = network.layers[key];
  return layer?.kind === 'repeat' ? layer.count : 1;
}

/** The name of a block is the common prefix of its branches. */
function blockName(endpoint: string, rows: readonly Row[]): string | undefined {
  const inside = translate(`${endpoint}/branch0/conv1`, rows) ?? translate(`${endpoint}/branch1/conv1`, rows);
  return inside?.replace(/\.(branch\d.*|conv)$/, '');
}

function translate(layer: string, rows: readonly Row[]): string | undefined {
  for (const [ours, theirs] of rows) {
    const match = new RegExp(`^${ours.replaceAll('#', '(\\d+)')}$`).exec(layer);
    if (!match) continue;
    let next = 1;
    return theirs.replace(
      /#([+-]\d+)?|@(\w)/g,
      (_, shift: string | undefined, letter: string | undefined) => {
        const number = Number(match[next++]);
        return letter === undefined
          ? String(number + Number(shift ?? 0))
          : String.fromCharCode(letter.charCodeAt(0) + number);
      },
    );
  }
  return undefined;
}

/** A block in which a branch of one convolution is not a list; in the pooling branch, the pooling is element 0. */
export const blockRows = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv#`, `${theirs}.branch1.#-1`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2.#-1`],
  [`${ours}/branch3/conv1`, `${theirs}.branch3.1`],
];

export const residualRows = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv#`, `${theirs}.branch1.#-1`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2.#-1`],
  [`${ours}/linear`, `${theirs}.conv2d`],
];
