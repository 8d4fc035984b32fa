/**
 * Inception-ResNet-v2 as released (TF-Slim; also in Keras and timm): a different network from the one that the paper draws. Its stem is
 * that of Inception-v3 with an Inception block at the end, it has 10, 20 and 10 blocks, the very last block adds its
 * residual unscaled and without ReLU, and a 1x1 convolution follows.
 */

import {
  avgPool,
  conv,
  dropout,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  type Network,
  repeat,
} from '../notation.ts';
import { auxiliaryHead, printedAuxiliary } from './auxiliary-head.ts';
import {
  inceptionResnetA,
  inceptionResnetB,
  inceptionResnetC,
  printedBlocks,
  reductionB,
} from './inception-resnet-v2.ts';
import { stem } from './inception-v3.ts';
import { printedReductionA, reductionA } from './inception-v4.ts';

/** TF-Slim's Mixed_5b; the error rates that the paper publishes belong to this network. */
const mixed5b = filterConcat(
  [conv('1x1', 96)],
  [conv('1x1', 48), conv('5x5', 64)],
  [conv('1x1', 64), conv('3x3', 96), conv('3x3', 96)],
  [avgPool('3x3'), conv('1x1', 64)],
);

export const inceptionResnetV2Released: Network = {
  name: 'inception-resnet-v2-released',
  about: 'the Inception-ResNet-v2 whose weights TF-Slim, Keras and timm distribute',
  input: [299, 299, 3],
  classes: 1000,
  layers: {
    stem, // 35×35×192
    mixed5b, // 35×35×320
    inceptionResnetA: repeat(10, inceptionResnetA),
    reductionA: reductionA({ k: 256, l: 256, m: 384, n: 384 }), // 17×17×1088
    inceptionResnetB: repeat(20, inceptionResnetB),
    reductionB, // 8×8×2080
    inceptionResnetC: repeat(10, inceptionResnetC, { last: { ...inceptionResnetC, scale: 1, relu: false } }),
    conv: conv('1x1', 1536),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionResnetA', B: 'inceptionResnetB', C: 'inceptionResnetC' },
  auxiliary: auxiliaryHead('inceptionResnetB'),
  printed: {
    '': {
      departures: {
        '': 'the paper draws another Inception-ResNet-v2: this is the one whose weights were released',
      },
    },
    stem: {
      departures: { '': 'the paper draws the stem of Inception-v4 (figure 3); this is that of Inception-v3' },
    },
    mixed5b: { departures: { '': 'in no figure' } },
    reductionA: printedReductionA,
    ...printedBlocks,
    conv: { departures: { '': 'in no figure' } },
    auxiliary: printedAuxiliary,
  },
  published: { singleCrop: [19.9, 4.9], tenOrTwelveCrops: [18.7, 4.1], crops144: [17.8, 3.7] },
};
