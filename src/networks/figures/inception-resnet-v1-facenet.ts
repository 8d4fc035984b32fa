/**
 * Inception-ResNet-v1 as facenet trained it (github.com/davidsandberg/facenet, later ported as facenet-pytorch), for
 * aligned faces of 160×160 pixels: figure 15's network with a sixth C block, which adds its residual unscaled and without
 * ReLU, and an embedding before the classifier. `classes: 0` gives the embedding alone.
 */

import { dropout, embedding, fullyConnected, globalAvgPool, type Network, repeat } from '../notation.ts';
import { auxiliaryHead } from './auxiliary-head.ts';
import {
  inceptionResnetA,
  inceptionResnetB,
  inceptionResnetC,
  printedV1,
  reductionB,
  stem,
} from './inception-resnet-v1.ts';
import { reductionA } from './inception-v4.ts';

export const inceptionResnetV1Facenet: Network = {
  name: 'inception-resnet-v1-facenet',
  about: 'the Inception-ResNet-v1 of facenet, which embeds faces',
  input: [160, 160, 3],
  classes: 1000,
  layers: {
    stem, // 17×17×256
    inceptionResnetA: repeat(5, inceptionResnetA),
    reductionA: reductionA({ k: 192, l: 192, m: 256, n: 384 }), // 8×8×896
    inceptionResnetB: repeat(10, inceptionResnetB),
    reductionB, // 3×3×1792
    inceptionResnetC: repeat(6, inceptionResnetC, { last: { ...inceptionResnetC, scale: 1, relu: false } }),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    embedding: embedding(512),
    logits: fullyConnected(),
  },
  stages: { A: 'inceptionResnetA', B: 'inceptionResnetB', C: 'inceptionResnetC' },
  auxiliary: auxiliaryHead('inceptionResnetB'),
  printed: {
    ...printedV1,
    '': {
      figure: 'figure 15',
      departures: {
        '': 'figure 15 has five C blocks and no embedding: facenet added the sixth, and the embedding',
      },
    },
  },
};
