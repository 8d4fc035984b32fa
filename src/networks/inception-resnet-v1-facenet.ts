/**
 * Inception-ResNet-v1 as facenet trained it (github.com/davidsandberg/facenet, later ported as facenet-pytorch), for
 * aligned faces of 160×160 pixels: figure 15's network with a sixth C block, which adds its residual unscaled and without
 * ReLU, and an embedding before the classifier. Whoever wants the embedding alone takes `classes: 0`.
 */
import { inceptionResnetV1 } from './inception-resnet-v1.ts';
import {
  dropout,
  embedding,
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Network,
  type Repeat,
  type Residual,
  repeat,
} from './notation.ts';

const { stem, inceptionResnetA, reductionA, inceptionResnetB, reductionB, inceptionResnetC } =
  inceptionResnetV1.layers as Record<string, Layer>;
const { block } = inceptionResnetC as Repeat;

export const inceptionResnetV1Facenet: Network = {
  name: 'inception-resnet-v1-facenet',
  about: 'the Inception-ResNet-v1 of facenet, which embeds faces',
  input: [160, 160, 3],
  classes: 1000,
  layers: {
    stem, // 17×17×256
    inceptionResnetA,
    reductionA, // 8×8×896
    inceptionResnetB,
    reductionB, // 3×3×1792
    inceptionResnetC: repeat(6, block, { last: { ...(block as Residual), scale: 1, relu: false } }),
    averagePooling: globalAvgPool(),
    dropout: dropout({ keep: 0.8 }),
    embedding: embedding(512),
    logits: fullyConnected(),
  } as Network['layers'],
  auxiliary: inceptionResnetV1.auxiliary,
};
