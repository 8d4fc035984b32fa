/**
 * The names that timm and Cadene's pretrained-models give to the parameters of Inception-v4 and of the released
 * Inception-ResNet-v2, as tables from our layers to theirs. The two agree but for one classifier.
 */
import { type Graph, type Parameter, parametersOf, type Role } from '../graph/graph.ts';

export type TorchDialect = 'timm' | 'cadene';

/** A network or a parameter that a dialect has no name for. */
export class NamesError extends Error {
  override name = 'NamesError';
}

/**
 * `#` stands for a number on both sides: the first for the first. On the right `#-1` counts from 0 what we count from 1,
 * and `#+6` adds 6. A function gives the name where it depends on the numbers of blocks.
 */
type Row = readonly [ours: string, theirs: string];

type Counts = Readonly<Record<'A' | 'B' | 'C', number>>;

/** Inception blocks of v4 stand in one list, `features`: the place of each depends on the counts before it. */
const inceptionV4 = ({ A, B, C }: Counts, _: TorchDialect): readonly Row[] => [
  ['stem/conv#', 'features.#-1'],
  ['stem/concat1/branch1/conv1', 'features.3.conv'],
  ['stem/concat2/branch#/conv#', 'features.4.branch#.#-1'],
  ['stem/concat3/branch0/conv1', 'features.5.conv'],
  ...blockRows('inceptionA/#', 'features.#+6'),
  ['reductionA/branch0/conv1', `features.${6 + A}.branch0`],
  ['reductionA/branch1/conv#', `features.${6 + A}.branch1.#-1`],
  ...blockRows('inceptionB/#', `features.#+${7 + A}`),
  ['reductionB/branch#/conv#', `features.${7 + A + B}.branch#.#-1`],
  ...Array.from({ length: C }, (_, index) =>
    cRows(`inceptionC/${index}`, `features.${8 + A + B + index}`),
  ).flat(),
  ['logits', 'last_linear'],
];

/** A single convolution is no list; the pooling is element 0 of its branch. */
const blockRows = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv#`, `${theirs}.branch1.#-1`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2.#-1`],
  [`${ours}/branch3/conv1`, `${theirs}.branch3.1`],
];

const cRows = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv1`, `${theirs}.branch1_0`],
  [`${ours}/branch1/concat1/branch0/conv1`, `${theirs}.branch1_1a`],
  [`${ours}/branch1/concat1/branch1/conv1`, `${theirs}.branch1_1b`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2_#-1`],
  [`${ours}/branch2/concat1/branch0/conv1`, `${theirs}.branch2_3a`],
  [`${ours}/branch2/concat1/branch1/conv1`, `${theirs}.branch2_3b`],
  [`${ours}/branch3/conv1`, `${theirs}.branch3.1`],
];

const inceptionResnetV2Released = ({ C }: Counts, dialect: TorchDialect): readonly Row[] => [
  ['stem/conv1', 'conv2d_1a'],
  ['stem/conv2', 'conv2d_2a'],
  ['stem/conv3', 'conv2d_2b'],
  ['stem/conv4', 'conv2d_3b'],
  ['stem/conv5', 'conv2d_4a'],
  ['stem/maxPool1', 'maxpool_3a'],
  ['stem/maxPool2', 'maxpool_5a'],
  ...blockRows('mixed5b', 'mixed_5b'),
  ...residualRows('inceptionResnetA/#', 'repeat.#'),
  ['reductionA/branch0/conv1', 'mixed_6a.branch0'],
  ['reductionA/branch1/conv#', 'mixed_6a.branch1.#-1'],
  ...residualRows('inceptionResnetB/#', 'repeat_1.#'),
  ['reductionB/branch#/conv#', 'mixed_7a.branch#.#-1'],
  // The last block stands outside the list. First, because the first row that fits counts.
  ...residualRows(`inceptionResnetC/${C - 1}`, 'block8'),
  ...residualRows('inceptionResnetC/#', 'repeat_2.#'),
  ['conv', 'conv2d_7b'],
  ['logits', dialect === 'timm' ? 'classif' : 'last_linear'],
];

const residualRows = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv#`, `${theirs}.branch1.#-1`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2.#-1`],
  [`${ours}/linear`, `${theirs}.conv2d`],
];

const tables: Readonly<Record<string, (counts: Counts, dialect: TorchDialect) => readonly Row[]>> = {
  'inception-v4': inceptionV4,
  'inception-resnet-v2-released': inceptionResnetV2Released,
};

/** What follows the layer's name. A layer with batch normalisation has its convolution under `conv`. */
const suffixes: Readonly<Record<Role, string>> = {
  convWeight: '.conv.weight',
  convBias: '.bias',
  linearWeight: '.weight',
  linearBias: '.bias',
  gamma: '.bn.weight',
  beta: '.bn.bias',
  movingMean: '.bn.running_mean',
  movingVariance: '.bn.running_var',
};

/** Our names to theirs, complete. @throws NamesError if the network or a parameter has no name there. */
export function timmNames(graph: Graph, dialect: TorchDialect = 'timm'): ReadonlyMap<string, string> {
  const rows = rowsFor(graph, dialect);
  const names = new Map<string, string>();
  const nameless: string[] = [];
  for (const parameter of parametersOf(graph)) {
    const layer = parameter.name.slice(0, parameter.name.lastIndexOf('/'));
    const theirs = translate(layer, rows);
    if (theirs === undefined) nameless.push(parameter.name);
    else names.set(parameter.name, theirs + suffixOf(parameter));
  }
  if (nameless.length > 0) {
    throw new NamesError(
      `${dialect} has no names for ${nameless.length} parameters of ${graph.network.name}: ${nameless.join(', ')}`,
    );
  }
  return names;
}

const suffixOf = ({ name, role }: Parameter): string =>
  /\/linear\/weight$/.test(name) ? '.weight' : suffixes[role];

/** Stages of the other implementation by the endpoints of ours; only those that are a named part in both. */
export function timmStages(graph: Graph, dialect: TorchDialect = 'timm'): ReadonlyMap<string, string> {
  const rows = rowsFor(graph, dialect);
  const stages = new Map<string, string>();
  for (const endpoint of graph.endpoints.keys()) {
    const theirs = translate(endpoint, rows) ?? stageOf(endpoint, rows);
    if (theirs !== undefined) stages.set(theirs, endpoint);
  }
  return stages;
}

/** A block is what the names of its branches have in common. */
function stageOf(endpoint: string, rows: readonly Row[]): string | undefined {
  const inside = translate(`${endpoint}/branch0/conv1`, rows) ?? translate(`${endpoint}/branch1/conv1`, rows);
  return inside?.replace(/\.(branch\d.*|conv)$/, '');
}

function rowsFor(graph: Graph, dialect: TorchDialect): readonly Row[] {
  const { name, layers } = graph.network;
  const table = Object.hasOwn(tables, name) ? tables[name] : undefined;
  if (!table)
    throw new NamesError(
      `${dialect} has no network like ${name}; there are ${Object.keys(tables).join(', ')}`,
    );
  const count = (letter: string) => {
    const [, layer] =
      Object.entries(layers).find(([key, each]) => each.kind === 'repeat' && key.endsWith(letter)) ?? [];
    return layer?.kind === 'repeat' ? layer.count : 0;
  };
  return table({ A: count('A'), B: count('B'), C: count('C') }, dialect);
}

function translate(layer: string, rows: readonly Row[]): string | undefined {
  for (const [ours, theirs] of rows) {
    const match = new RegExp(`^${ours.replaceAll('#', '(\\d+)')}$`).exec(layer);
    if (!match) continue;
    let next = 1;
    return theirs.replace(/#([+-]\d+)?/g, (_, shift: string | undefined) =>
      String(Number(match[next++]) + Number(shift ?? 0)),
    );
  }
  return undefined;
}
