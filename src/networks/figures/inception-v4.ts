/**
 * Inception-v4, beside the figures of arXiv 1602.07261. Where the released weights (TF-Slim) and the figures disagree
 * about an order, the code follows the weights, because concatenation order fixes the order of the next layer's weights.
 */

import {
  avgPool,
  conv,
  dropout,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
  type Printed,
  repeat,
  sequence,
} from '../notation.ts';
import { auxiliaryHead, printedAuxiliary } from './auxiliary-head.ts';

/** Concatenation order fixes the order of the next layer's weights. */
export const poolingFirst = 'printed as the first branch; the order is that of the released weights';

/** Figure 3. The stem that Inception-v4 and Inception-ResNet-v2 share. */
export const stem = sequence(
  conv('3x3', 32, 'stride 2 V'), // 149×149
  conv('3x3', 32, 'V'), // 147×147
  conv('3x3', 64),
  filterConcat([maxPool('3x3', 'stride 2 V')], [conv('3x3', 96, 'stride 2 V')]), // 73×73×160
  filterConcat(
    [conv('1x1', 64), conv('3x3', 96, 'V')],
    [conv('1x1', 64), conv('1x7', 64), conv('7x1', 64), conv('3x3', 96, 'V')], // drawn 7x1 first
  ), // 71×71×192
  filterConcat([conv('3x3', 192, 'stride 2 V')], [maxPool('3x3', 'stride 2 V')]), // drawn without its stride
); // 35×35×384

export const printedStem: Printed = {
  figure: 'figure 3',
  departures: {
    'concat2/branch1/conv2': 'printed 7x1 first; the released weights have 1x7 first',
    'concat3/branch0/conv1': 'printed without a stride; 71×71 becomes 35×35 by a stride of 2',
  },
};

/** Figure 4. The 35×35 grid module; 384 channels in and out. */
const inceptionA = filterConcat(
  [conv('1x1', 96)],
  [conv('1x1', 64), conv('3x3', 96)],
  [conv('1x1', 64), conv('3x3', 96), conv('3x3', 96)],
  [avgPool('3x3'), conv('1x1', 96)], // drawn first
);

/** Figure 5. The 17×17 grid module; 1024 channels in and out. */
const inceptionB = filterConcat(
  [conv('1x1', 384)],
  [conv('1x1', 192), conv('1x7', 224), conv('7x1', 256)], // printed as 1x7 twice
  [conv('1x1', 192), conv('7x1', 192), conv('1x7', 224), conv('7x1', 224), conv('1x7', 256)], // drawn 1x7 first
  [avgPool('3x3'), conv('1x1', 128)], // drawn first
);

/** Figure 6. The 8×8 grid module; 1536 channels in and out. */
const inceptionC = filterConcat(
  [conv('1x1', 256)],
  [conv('1x1', 384), filterConcat([conv('1x3', 256)], [conv('3x1', 256)])],
  [
    conv('1x1', 384),
    conv('3x1', 448),
    conv('1x3', 512),
    filterConcat([conv('1x3', 256)], [conv('3x1', 256)]),
  ], // drawn 1x3 first
  [avgPool('3x3'), conv('1x1', 256)], // drawn first
);

/** One row of table 1. */
export interface Table1 {
  readonly k: number;
  readonly l: number;
  readonly m: number;
  readonly n: number;
}

/** Figure 7, 35×35 to 17×17, with the filter counts of table 1. */
export const reductionA = ({ k, l, m, n }: Table1) =>
  filterConcat(
    [conv('3x3', n, 'stride 2 V')],
    [conv('1x1', k), conv('3x3', l), conv('3x3', m, 'stride 2 V')],
    [maxPool('3x3', 'stride 2 V')], // drawn first
  );

export const printedReductionA: Printed = {
  figure: 'figure 7 and table 1',
  departures: { branch2: poolingFirst },
};

/** Figure 8, 17×17 to 8×8. */
const reductionB = filterConcat(
  [conv('1x1', 192), conv('3x3', 192, 'stride 2 V')],
  [conv('1x1', 256), conv('1x7', 256), conv('7x1', 320), conv('3x3', 320, 'stride 2 V')],
  [maxPool('3x3', 'stride 2 V')], // drawn first
);

/** Figure 9. */
export const inceptionV4: Network = {
  name: 'inception-v4',
  about: 'the pure Inception network of the paper',
  input: [299, 299, 3],
  classes: 1000,
  layers: {
    stem, // 35×35×384
    inceptionA: repeat(4, inceptionA),
    reductionA: reductionA({ k: 192, l: 224, m: 256, n: 384 }), // 17×17×1024
    inceptionB: repeat(7, inceptionB),
    reductionB, // 8×8×1536
    inceptionC: repeat(3, inceptionC),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionA', B: 'inceptionB', C: 'inceptionC' },
  auxiliary: auxiliaryHead('inceptionB'),
  featuresAt: { 4: 'stem/concat1' }, // timm's choice of two parts
  printed: {
    '': { figure: 'figure 9' },
    stem: printedStem,
    inceptionA: { figure: 'figure 4', departures: { branch3: poolingFirst } },
    reductionA: printedReductionA,
    inceptionB: {
      figure: 'figure 5',
      departures: {
        'branch1/conv3': 'printed as a second 1x7; 7x1 is meant',
        'branch2/conv2': 'printed 1x7 first; the released weights have 7x1 first',
        branch3: poolingFirst,
      },
    },
    reductionB: { figure: 'figure 8', departures: { branch2: poolingFirst } },
    inceptionC: {
      figure: 'figure 6',
      departures: {
        'branch2/conv2': 'printed 1x3 first; the released weights have 3x1 first',
        branch3: poolingFirst,
      },
    },
    auxiliary: printedAuxiliary,
  },
  published: { singleCrop: [20.0, 5.0], tenOrTwelveCrops: [18.7, 4.2], crops144: [17.7, 3.8] },
};
