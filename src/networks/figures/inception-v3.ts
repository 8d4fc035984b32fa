/**
 * Inception-v3, the paper's baseline (arXiv 1512.00567, table 1, as released by TF-Slim and torchvision). Branches are
 * in the order of the released weights.
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
  repeat,
  sequence,
} from '../notation.ts';
import { auxiliaryHead } from './auxiliary-head.ts';

/** The plain stem, which the released Inception-ResNet-v2 shares. */
export const stem = sequence(
  conv('3x3', 32, 'stride 2 V'), // 149×149
  conv('3x3', 32, 'V'), // 147×147
  conv('3x3', 64),
  maxPool('3x3', 'stride 2 V'), // 73×73
  conv('1x1', 80, 'V'),
  conv('3x3', 192, 'V'), // 71×71
  maxPool('3x3', 'stride 2 V'),
); // 35×35×192

/** Figure 5 of arXiv 1512.00567, with the released 5x5 kernel; the pooling branch grows after the first block. */
export const inceptionA = (pooling: number) =>
  filterConcat(
    [conv('1x1', 64)],
    [conv('1x1', 48), conv('5x5', 64)],
    [conv('1x1', 64), conv('3x3', 96), conv('3x3', 96)],
    [avgPool('3x3'), conv('1x1', pooling)],
  );

/** Figure 10 of arXiv 1512.00567, 35×35 to 17×17. */
const reductionA = filterConcat(
  [conv('3x3', 384, 'stride 2 V')],
  [conv('1x1', 64), conv('3x3', 96), conv('3x3', 96, 'stride 2 V')],
  [maxPool('3x3', 'stride 2 V')],
);

/** Figure 6 of arXiv 1512.00567; the 7x1 and 1x7 convolutions have `width` filters until the last of a branch. */
const inceptionB = (width: number) =>
  filterConcat(
    [conv('1x1', 192)],
    [conv('1x1', width), conv('1x7', width), conv('7x1', 192)],
    [conv('1x1', width), conv('7x1', width), conv('1x7', width), conv('7x1', width), conv('1x7', 192)],
    [avgPool('3x3'), conv('1x1', 192)],
  );

/** 17×17 to 8×8. */
const reductionB = filterConcat(
  [conv('1x1', 192), conv('3x3', 320, 'stride 2 V')],
  [conv('1x1', 192), conv('1x7', 192), conv('7x1', 192), conv('3x3', 192, 'stride 2 V')],
  [maxPool('3x3', 'stride 2 V')],
);

/** Figure 7 of arXiv 1512.00567, the expanded filter bank. */
const inceptionC = filterConcat(
  [conv('1x1', 320)],
  [conv('1x1', 384), filterConcat([conv('1x3', 384)], [conv('3x1', 384)])],
  [conv('1x1', 448), conv('3x3', 384), filterConcat([conv('1x3', 384)], [conv('3x1', 384)])],
  [avgPool('3x3'), conv('1x1', 192)],
);

export const inceptionV3: Network = {
  name: 'inception-v3',
  about: "the paper's baseline, without residual connections",
  input: [299, 299, 3],
  classes: 1000,
  layers: {
    stem, // 35×35×192
    inceptionA: repeat(3, inceptionA(64), { first: inceptionA(32) }), // 35×35×288
    reductionA, // 17×17×768
    inceptionB: repeat(4, inceptionB(160), { first: inceptionB(128), last: inceptionB(192) }),
    reductionB, // 8×8×1280
    inceptionC: repeat(2, inceptionC), // 8×8×2048
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionA', B: 'inceptionB', C: 'inceptionC' },
  auxiliary: auxiliaryHead('inceptionB'),
  printed: {
    '': { figure: 'table 1 of arXiv 1512.00567' },
    inceptionA: {
      figure: 'figure 5 of arXiv 1512.00567',
      departures: { 'branch1/conv2': 'printed as 3x3; the released weights have a 5x5 kernel' },
    },
    reductionA: { figure: 'figure 10 of arXiv 1512.00567' },
    inceptionB: { figure: 'figure 6 of arXiv 1512.00567' },
    inceptionC: { figure: 'figure 7 of arXiv 1512.00567' },
    auxiliary: { figure: 'figure 8 of arXiv 1512.00567' },
  },
  published: { singleCrop: [21.2, 5.6], tenOrTwelveCrops: [19.8, 4.6], crops144: [18.9, 4.3] },
};
