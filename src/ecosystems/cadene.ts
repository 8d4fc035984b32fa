/**
 * Cadene's pretrained-models: Inception-v4 and the released Inception-ResNet-v2. The names are those of its
 * parameters (test/fixtures/README.md gives the version).
 */
import type { Dialect } from './dialect.ts';
import {
  blockRows,
  type CountedRows,
  moduleBookkeeping,
  moduleNames,
  type Row,
  residualRows,
} from './names/modules.ts';

/** All blocks are in one list, `features`, so the index of each depends on the counts before it. */
export const inceptionV4: CountedRows = (count) => {
  const reductionA = 6 + count('inceptionA');
  const reductionB = reductionA + 1 + count('inceptionB');
  return [
    ['stem/conv#', 'features.#-1'],
    ['stem/concat1/branch1/conv1', 'features.3.conv'],
    ['stem/concat2/branch#/conv#', 'features.4.branch#.#-1'],
    ['stem/concat3/branch0/conv1', 'features.5.conv'],
    ...blockRows('inceptionA/#', 'features.#+6'),
    ['reductionA/branch0/conv1', `features.${reductionA}.branch0`],
    ['reductionA/branch1/conv#', `features.${reductionA}.branch1.#-1`],
    ...blockRows('inceptionB/#', `features.#+${reductionA + 1}`),
    ['reductionB/branch#/conv#', `features.${reductionB}.branch#.#-1`],
    ...Array.from({ length: count('inceptionC') }, (_, index) =>
      inceptionC(`inceptionC/${index}`, `features.${reductionB + 1 + index}`),
    ).flat(),
    ['logits', 'last_linear'],
  ];
};

const inceptionC = (ours: string, theirs: string): readonly Row[] => [
  [`${ours}/branch0/conv1`, `${theirs}.branch0`],
  [`${ours}/branch1/conv1`, `${theirs}.branch1_0`],
  [`${ours}/branch1/concat1/branch0/conv1`, `${theirs}.branch1_1a`],
  [`${ours}/branch1/concat1/branch1/conv1`, `${theirs}.branch1_1b`],
  [`${ours}/branch2/conv#`, `${theirs}.branch2_#-1`],
  [`${ours}/branch2/concat1/branch0/conv1`, `${theirs}.branch2_3a`],
  [`${ours}/branch2/concat1/branch1/conv1`, `${theirs}.branch2_3b`],
  [`${ours}/branch3/conv1`, `${theirs}.branch3.1`],
];

/** Without the classifier, whose name differs between implementations. */
export const inceptionResnetV2: CountedRows = (count) => [
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
  // The last block is not in the list.
  ...residualRows(`inceptionResnetC/${count('inceptionResnetC') - 1}`, 'block8'),
  ...residualRows('inceptionResnetC/#', 'repeat_2.#'),
  ['conv', 'conv2d_7b'],
];

export const cadene: Dialect<'cadene'> = {
  name: 'cadene',
  title: 'Cadene',
  layout: 'torch',
  gamma: true,
  networks: {
    'inception-v4': {
      anchors: ['features.0.conv.weight', 'features.6.branch0.conv.weight'],
      ...moduleNames(inceptionV4),
    },
    'inception-resnet-v2-released': {
      anchors: ['conv2d_7b.conv.weight'],
      ...moduleNames((count) => [...inceptionResnetV2(count), ['logits', 'last_linear']]),
    },
  },
  preprocessing: { protocol: 'timm', kernel: 'pillow-bilinear' },
  ignored: moduleBookkeeping,
};
