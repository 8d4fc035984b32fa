/** torchvision: Inception-v3. The names are those of its parameters (test/fixtures/README.md gives the version). */
import type { Dialect } from './dialect.ts';
import { moduleBookkeeping, moduleNames, type Row } from './names/modules.ts';

export const inceptionV3: readonly Row[] = [
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

export const torchvision: Dialect<'torchvision'> = {
  name: 'torchvision',
  title: 'torchvision',
  layout: 'torch',
  gamma: true,
  networks: {
    'inception-v3': {
      anchors: ['AuxLogits.fc.weight', 'Mixed_7c.branch_pool.conv.weight'],
      ...moduleNames(inceptionV3),
      countPadding: true,
      auxiliaryHead: true,
    },
  },
  // Inception_V3_Weights.IMAGENET1K_V1.transforms(): the shorter side to 342, and not to 299 / 0.875.
  preprocessing: { protocol: 'timm', kernel: 'pillow-bilinear', crop: 299 / 342 },
  ignored: moduleBookkeeping,
};
