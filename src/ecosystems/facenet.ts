/**
 * facenet's Inception-ResNet-v1 in both implementations: facenet-pytorch, and davidsandberg's original, written with
 * TensorFlow's slim library.
 */
import type { Dialect } from './dialect.ts';
import { type CountedRows, moduleBookkeeping, moduleNames, residualRows } from './names/modules.ts';
import { chain, residualBlocks, scopeBookkeeping, scopeNames, stemChain } from './names/scopes.ts';

/** Faces are already cropped; normalised as (x − 127.5) / 128. */
const preprocessing: Dialect['preprocessing'] = {
  protocol: 'tf-slim',
  kernel: 'pillow-bilinear',
  crop: 1,
  std: [128 / 255, 128 / 255, 128 / 255],
};

const rows: CountedRows = (count) => [
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
  // The last block is not in the list.
  ...residualRows(`inceptionResnetC/${count('inceptionResnetC') - 1}`, 'block8'),
  ...residualRows('inceptionResnetC/#', 'repeat_3.#'),
  ['logits', 'logits'],
];

export const facenet: Dialect<'facenet'> = {
  name: 'facenet',
  title: 'facenet',
  layout: 'torch',
  gamma: true,
  networks: {
    'inception-resnet-v1-facenet': {
      anchors: ['last_bn.weight', 'repeat_3.0.conv2d.weight'],
      ...moduleNames(rows, {
        // Two modules in facenet-pytorch.
        embedding: {
          linearWeight: 'last_linear.weight',
          gamma: 'last_bn.weight',
          beta: 'last_bn.bias',
          movingMean: 'last_bn.running_mean',
          movingVariance: 'last_bn.running_var',
        },
      }),
    },
  },
  preprocessing,
  ignored: moduleBookkeeping,
};

export const tfFacenet: Dialect<'tf-facenet'> = {
  name: 'tf-facenet',
  title: 'facenet',
  family: 'facenet',
  layout: 'tensorflow',
  gamma: false,
  networks: {
    'inception-resnet-v1-facenet': {
      anchors: ['InceptionResnetV1/Conv2d_1a_3x3/weights'],
      ...scopeNames({
        scope: 'InceptionResnetV1/',
        blocks: residualBlocks,
        plainSingles: true,
        // The training script adds its classifier outside the network's scope.
        layers: {
          ...chain('stem', [...stemChain, 'Conv2d_4b_3x3']),
          embedding: 'Bottleneck',
          logits: '/Logits',
        },
      }),
    },
  },
  preprocessing,
  // Also the centres of the center loss, and the training script's counters.
  ignored: new RegExp(`${scopeBookkeeping.source}|^centers$|^(learning_rate|batch_size|phase_train)`),
};
