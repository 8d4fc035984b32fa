/**
 * Inception-ResNet-v1 as drawn in arXiv 1602.07261; about the cost of Inception-v3. The paper asks for residual scales
 * "between 0.1 and 0.3" without naming them: the defaults are those of every released Inception-ResNet.
 */

import {
  conv,
  dropout,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
  type Printed,
  repeat,
  residual,
  sequence,
} from '../notation.ts';
import { auxiliaryHead, printedAuxiliary } from './auxiliary-head.ts';
import { printedScale } from './inception-resnet-v2.ts';
import { poolingFirst, printedReductionA, reductionA } from './inception-v4.ts';

/** Figure 14. */
export const stem = sequence(
  conv('3x3', 32, 'stride 2 V'), // 149×149
  conv('3x3', 32, 'V'), // 147×147
  conv('3x3', 64),
  maxPool('3x3', 'stride 2 V'), // 73×73
  conv('1x1', 80),
  conv('3x3', 192, 'V'), // 71×71
  conv('3x3', 256, 'stride 2 V'),
); // 35×35×256

/** Figure 10. The 35×35 grid module. */
export const inceptionResnetA = residual(
  { scale: 0.17 },
  [conv('1x1', 32)],
  [conv('1x1', 32), conv('3x3', 32)],
  [conv('1x1', 32), conv('3x3', 32), conv('3x3', 32)],
);

/** Figure 11. The 17×17 grid module. */
export const inceptionResnetB = residual(
  { scale: 0.1 },
  [conv('1x1', 128)],
  [conv('1x1', 128), conv('1x7', 128), conv('7x1', 128)],
);

/** Figure 12, 17×17 to 8×8. */
export const reductionB = filterConcat(
  [conv('1x1', 256), conv('3x3', 384, 'stride 2 V')],
  [conv('1x1', 256), conv('3x3', 256, 'stride 2 V')],
  [conv('1x1', 256), conv('3x3', 256), conv('3x3', 256, 'stride 2 V')],
  [maxPool('3x3', 'stride 2 V')], // drawn first
);

/** Figure 13. The 8×8 grid module. */
export const inceptionResnetC = residual(
  { scale: 0.2 },
  [conv('1x1', 192)],
  [conv('1x1', 192), conv('1x3', 192), conv('3x1', 192)],
);

export const printedV1: Readonly<Record<string, Printed>> = {
  '': { figure: 'figure 15' },
  stem: { figure: 'figure 14' },
  inceptionResnetA: { figure: 'figure 10', departures: { '': printedScale } },
  reductionA: printedReductionA,
  inceptionResnetB: { figure: 'figure 11', departures: { '': printedScale } },
  reductionB: { figure: 'figure 12', departures: { branch3: poolingFirst } },
  inceptionResnetC: { figure: 'figure 13', departures: { '': printedScale } },
  auxiliary: printedAuxiliary,
};

/** Figure 15. */
export const inceptionResnetV1: Network = {
  name: 'inception-resnet-v1',
  about: 'residual Inception at about the cost of Inception-v3',
  input: [299, 299, 3],
  classes: 1000,
  layers: {
    stem, // 35×35×256
    inceptionResnetA: repeat(5, inceptionResnetA),
    reductionA: reductionA({ k: 192, l: 192, m: 256, n: 384 }), // 17×17×896
    inceptionResnetB: repeat(10, inceptionResnetB),
    reductionB, // 8×8×1792
    inceptionResnetC: repeat(5, inceptionResnetC),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionResnetA', B: 'inceptionResnetB', C: 'inceptionResnetC' },
  auxiliary: auxiliaryHead('inceptionResnetB'),
  printed: printedV1,
  published: { singleCrop: [21.3, 5.5], tenOrTwelveCrops: [19.8, 4.6], crops144: [18.8, 4.3] },
};
