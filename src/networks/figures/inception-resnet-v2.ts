/**
 * Inception-ResNet-v2 as drawn in arXiv 1602.07261.
 *
 * The figures contradict the text. Figure 15 draws 5, 10 and 5 blocks (9.3 G multiply-adds, 32.4 M parameters), while
 * the text says that the network "matches the raw cost of Inception-v4" (12.25 G); with 10, 20 and 10 blocks the drawn
 * widths cost 14.1 G. This is the network as drawn; the counts are an option. The distributed weights are those of
 * `inception-resnet-v2-released`, and so are the errors that the paper publishes.
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
} from '../notation.ts';
import { auxiliaryHead, printedAuxiliary } from './auxiliary-head.ts';
import { poolingFirst, printedReductionA, printedStem, reductionA, stem } from './inception-v4.ts';

/** Figure 16. The 35×35 grid module. The scale is the released one; the paper says "between 0.1 and 0.3". */
export const inceptionResnetA = residual(
  { scale: 0.17 },
  [conv('1x1', 32)],
  [conv('1x1', 32), conv('3x3', 32)],
  [conv('1x1', 32), conv('3x3', 48), conv('3x3', 64)],
);

/** Figure 17. The 17×17 grid module; prints 1154 Linear filters where the depth is 384 + 384 + 384 = 1152. */
export const inceptionResnetB = residual(
  { scale: 0.1 },
  [conv('1x1', 192)],
  [conv('1x1', 128), conv('1x7', 160), conv('7x1', 192)],
);

/** Figure 18, 17×17 to 8×8. */
export const reductionB = filterConcat(
  [conv('1x1', 256), conv('3x3', 384, 'stride 2 V')],
  [conv('1x1', 256), conv('3x3', 288, 'stride 2 V')],
  [conv('1x1', 256), conv('3x3', 288), conv('3x3', 320, 'stride 2 V')],
  [maxPool('3x3', 'stride 2 V')], // drawn first
);

/** Figure 19. The 8×8 grid module; prints 2048 Linear filters where the depth is 1152 + 384 + 288 + 320 = 2144. */
export const inceptionResnetC = residual(
  { scale: 0.2 },
  [conv('1x1', 192)],
  [conv('1x1', 192), conv('1x3', 224), conv('3x1', 256)],
);

/** The paper leaves the scale open. */
export const printedScale = 'the paper scales by 0.1 to 0.3; this is the scale of the released network';

/** Of both networks with these blocks; their depths differ. */
export const printedBlocks: Readonly<Record<string, Printed>> = {
  inceptionResnetA: { figure: 'figure 16', departures: { '': printedScale } },
  inceptionResnetB: {
    figure: 'figure 17',
    departures: {
      '': printedScale,
      linear: 'printed as 1154, which no depth of the paper is: 384 + 384 + 384 is 1152',
    },
  },
  reductionB: { figure: 'figure 18', departures: { branch3: poolingFirst } },
  inceptionResnetC: {
    figure: 'figure 19',
    departures: {
      '': printedScale,
      linear: 'printed as 2048, which no depth of the paper is: 1152 + 384 + 288 + 320 is 2144',
    },
  },
};

/** Figure 15. */
export const inceptionResnetV2: Network = {
  name: 'inception-resnet-v2',
  about: 'residual Inception with the stem of Inception-v4, as drawn in the paper',
  input: [299, 299, 3],
  classes: 1000,
  layers: {
    stem, // 35×35×384
    inceptionResnetA: repeat(5, inceptionResnetA),
    reductionA: reductionA({ k: 256, l: 256, m: 384, n: 384 }), // 17×17×1152
    inceptionResnetB: repeat(10, inceptionResnetB),
    reductionB, // 8×8×2144
    inceptionResnetC: repeat(5, inceptionResnetC),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionResnetA', B: 'inceptionResnetB', C: 'inceptionResnetC' },
  auxiliary: auxiliaryHead('inceptionResnetB'),
  featuresAt: { 4: 'stem/concat1' }, // timm's choice of two parts
  printed: {
    '': {
      figure: 'figure 15',
      departures: {
        '': "figure 15 has Inception-ResNet-v1's sizes; the text gives this network the cost of Inception-v4, which these counts of blocks do not reach",
      },
    },
    stem: printedStem,
    reductionA: printedReductionA,
    ...printedBlocks,
    auxiliary: printedAuxiliary,
  },
};
