/**
 * The names that PyTorch's implementations give to the layers, as tables from ours to theirs: timm, torchvision, Cadene's
 * pretrained-models (timm's but for one classifier) and facenet-pytorch. Read off their parameters' names
 * (test/fixtures/README.md says from which versions).
 */
import type { Graph, Role } from '../graph/graph.ts';
import type { NameTable } from './names.ts';

export type TorchDialect = 'timm' | 'torchvision' | 'cadene' | 'facenet';

/**
 * `#` stands for a number on both sides: the first for the first. On the right `#-1` counts from 0 what we count from 1,
 * `#+6` adds 6, and `@` is a letter: `@b` counts b, c, d from 0.
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

/** torchvision's, which timm kept. */
const inceptionV3: readonly Row[] = [
  ['stem/conv1', 'Conv2d_1a_3x3'],
  ['stem/conv2', 'Conv2d_2a_3x3'],
  ['stem/conv3', 'Conv2d_2b_3x3'],
  ['stem/maxPool1', 'maxpool1'],
  ['stem/conv4', 'Conv2d_3b_1x1'],
  ['stem/conv5', 'Conv2d_4a_3x3'],
  ['stem/maxPool2', 'maxpool2'],
  ['inceptionA/#/branch0/conv1', 'Mixed_5@b.branch1x1'],
  ['inceptionA/#/branch1/conv#', 'Mixed_5@b.branch5x5_#'],
  ['inceptionA/#/branch2/conv#', 'Mixed_5@b.branch3x3dbl_#'],
  ['inceptionA/#/branch3/conv1', 'Mixed_5@b.branch_pool'],
  ['reductionA/branch0/conv1', 'Mixed_6a.branch3x3'],
  ['reductionA/branch1/conv#', 'Mixed_6a.branch3x3dbl_#'],
  ['inceptionB/#/branch0/conv1', 'Mixed_6@b.branch1x1'],
  ['inceptionB/#/branch1/conv#', 'Mixed_6@b.branch7x7_#'],
  ['inceptionB/#/branch2/conv#', 'Mixed_6@b.branch7x7dbl_#'],
  ['inceptionB/#/branch3/conv1', 'Mixed_6@b.branch_pool'],
  ['auxiliary/projection', 'AuxLogits.conv0'],
  ['auxiliary/conv', 'AuxLogits.conv1'],
  ['auxiliary/logits', 'AuxLogits.fc'],
  ['reductionB/branch0/conv#', 'Mixed_7a.branch3x3_#'],
  ['reductionB/branch1/conv#', 'Mixed_7a.branch7x7x3_#'],
  ['inceptionC/#/branch0/conv1', 'Mixed_7@b.branch1x1'],
  ['inceptionC/#/branch1/conv1', 'Mixed_7@b.branch3x3_1'],
  ['inceptionC/#/branch1/concat1/branch0/conv1', 'Mixed_7@b.branch3x3_2a'],
  ['inceptionC/#/branch1/concat1/branch1/conv1', 'Mixed_7@b.branch3x3_2b'],
  ['inceptionC/#/branch2/conv#', 'Mixed_7@b.branch3x3dbl_#'],
  ['inceptionC/#/branch2/concat1/branch0/conv1', 'Mixed_7@b.branch3x3dbl_3a'],
  ['inceptionC/#/branch2/concat1/branch1/conv1', 'Mixed_7@b.branch3x3dbl_3b'],
  ['inceptionC/#/branch3/conv1', 'Mixed_7@b.branch_pool'],
  ['logits', 'fc'],
];

const inceptionResnetV1Facenet = ({ C }: Counts): readonly Row[] => [
  ['stem/conv1', 'conv2d_1a'],
  ['stem/conv2', 'conv2d_2a'],
  ['stem/conv3', 'conv2d_2b'],
  ['stem/maxPool1', 'maxpool_3a'],
  ['stem/conv4', 'conv2d_3b'],
  ['stem/conv5', 'conv2d_4a'],
  ['stem/conv6', 'conv2d_4b'],
  ...residualRows('inceptionResnetA/#', 'repeat_1.#'),
  ['reductionA/branch0/conv1', 'mixed_6a.branch0'],
  ['reductionA/branch1/conv#', 'mixed_6a.branch1.#-1'],
  ...residualRows('inceptionResnetB/#', 'repeat_2.#'),
  ['reductionB/branch#/conv#', 'mixed_7a.branch#.#-1'],
  ...residualRows(`inceptionResnetC/${C - 1}`, 'block8'),
  ...residualRows('inceptionResnetC/#', 'repeat_3.#'),
  ['logits', 'logits'],
];

const tables: Readonly<Record<string, (counts: Counts, dialect: TorchDialect) => readonly Row[]>> = {
  'timm inception-v3': () => inceptionV3,
  'torchvision inception-v3': () => inceptionV3,
  'timm inception-v4': inceptionV4,
  'cadene inception-v4': inceptionV4,
  'timm inception-resnet-v2-released': inceptionResnetV2Released,
  'cadene inception-resnet-v2-released': inceptionResnetV2Released,
  'facenet inception-resnet-v1-facenet': inceptionResnetV1Facenet,
};

/** What follows the layer's name. A layer with batch normalisation has its convolution under `conv`. */
const suffixes: Readonly<Record<Role, string>> = {
  convWeight: '.conv.weight',
  residualWeight: '.weight',
  convBias: '.bias',
  linearWeight: '.weight',
  linearBias: '.bias',
  gamma: '.bn.weight',
  beta: '.bn.bias',
  movingMean: '.bn.running_mean',
  movingVariance: '.bn.running_var',
};

/** facenet-pytorch's embedding is two layers. */
const facenetEmbedding: Readonly<Partial<Record<Role, string>>> = {
  linearWeight: 'last_linear.weight',
  gamma: 'last_bn.weight',
  beta: 'last_bn.bias',
  movingMean: 'last_bn.running_mean',
  movingVariance: 'last_bn.running_var',
};

/** The names of a dialect, if it has this network. */
export function torchNames(graph: Graph, dialect: TorchDialect): NameTable | undefined {
  const table = tables[`${dialect} ${graph.network.name}`];
  if (!table) return undefined;
  const rows = table(countsOf(graph), dialect);
  return {
    parameter: (layer, { role }) => {
      if (layer === 'embedding') return facenetEmbedding[role];
      const theirs = translate(layer, rows);
      if (theirs === undefined) return undefined;
      return theirs + suffixes[role];
    },
    stage: (endpoint) => translate(endpoint, rows) ?? blockName(endpoint, rows),
  };
}

/** A block is what the names of its branches have in common. */
function blockName(endpoint: string, rows: readonly Row[]): string | undefined {
  const inside = translate(`${endpoint}/branch0/conv1`, rows) ?? translate(`${endpoint}/branch1/conv1`, rows);
  return inside?.replace(/\.(branch\d.*|conv)$/, '');
}

function countsOf({ network: { layers } }: Graph): Counts {
  const count = (letter: string) => {
    const [, layer] =
      Object.entries(layers).find(([key, each]) => each.kind === 'repeat' && key.endsWith(letter)) ?? [];
    return layer?.kind === 'repeat' ? layer.count : 0;
  };
  return { A: count('A'), B: count('B'), C: count('C') };
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
