/** TF-Slim: Inception-v3, Inception-v4 and the released Inception-ResNet-v2, with their auxiliary heads. */
import { preprocessingPresets } from '../images/preprocess.ts';
import type { Dialect } from './dialect.ts';
import { chain, lettered, residualBlocks, scopeBookkeeping, scopeNames, stemChain } from './names/scopes.ts';

export const tfSlim: Dialect<'tf-slim'> = {
  name: 'tf-slim',
  title: 'TF-Slim',
  layout: 'tensorflow',
  gamma: false,
  networks: {
    'inception-v3': {
      anchors: ['InceptionV3/Conv2d_1a_3x3/weights'],
      auxiliaryHead: true,
      ...scopeNames({
        scope: 'InceptionV3/',
        blocks: {
          inceptionA: lettered('Mixed_5'),
          reductionA: 'Mixed_6a',
          inceptionB: lettered('Mixed_6'),
          reductionB: 'Mixed_7a',
          inceptionC: lettered('Mixed_7'),
        },
        layers: {
          ...chain('stem', stemChain),
          'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
          'auxiliary/conv': 'AuxLogits/Conv2d_2a_5x5',
          'auxiliary/logits': 'AuxLogits/Conv2d_2b_1x1',
          logits: 'Logits/Conv2d_1c_1x1',
        },
        misnamed: {
          'Mixed_5c/Branch_1/Conv2d_0a_1x1': 'Mixed_5c/Branch_1/Conv2d_0b_1x1',
          'Mixed_5c/Branch_1/Conv2d_0b_5x5': 'Mixed_5c/Branch_1/Conv_1_0c_5x5',
          'Mixed_6a/Branch_0/Conv2d_1a_3x3': 'Mixed_6a/Branch_0/Conv2d_1a_1x1',
          'Mixed_6a/Branch_1/Conv2d_1a_3x3': 'Mixed_6a/Branch_1/Conv2d_1a_1x1',
          'Mixed_7b/Branch_1/Conv2d_0c_3x1': 'Mixed_7b/Branch_1/Conv2d_0b_3x1',
        },
      }),
    },
    'inception-v4': {
      anchors: ['InceptionV4/Conv2d_1a_3x3/weights'],
      auxiliaryHead: true,
      ...scopeNames({
        scope: 'InceptionV4/',
        blocks: {
          'stem/concat1': 'Mixed_3a',
          'stem/concat2': 'Mixed_4a',
          'stem/concat3': 'Mixed_5a',
          inceptionA: lettered('Mixed_5'),
          reductionA: 'Mixed_6a',
          inceptionB: lettered('Mixed_6'),
          reductionB: 'Mixed_7a',
          inceptionC: lettered('Mixed_7'),
        },
        layers: {
          ...chain('stem', stemChain.slice(0, 3)),
          // Has a stride, but is named like a convolution without one.
          'stem/concat1/branch1/conv1': 'Mixed_3a/Branch_1/Conv2d_0a_3x3',
          'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
          'auxiliary/conv': 'AuxLogits/Conv2d_2a',
          'auxiliary/logits': 'AuxLogits/Aux_logits',
          logits: 'Logits/Logits',
        },
        misnamed: {
          'Mixed_4a/Branch_0/Conv2d_0b_3x3': 'Mixed_4a/Branch_0/Conv2d_1a_3x3',
          'Mixed_4a/Branch_1/Conv2d_0d_3x3': 'Mixed_4a/Branch_1/Conv2d_1a_3x3',
        },
      }),
    },
    'inception-resnet-v2-released': {
      anchors: ['InceptionResnetV2/Conv2d_1a_3x3/weights'],
      auxiliaryHead: true,
      ...scopeNames({
        scope: 'InceptionResnetV2/',
        blocks: residualBlocks,
        plainSingles: true,
        layers: {
          ...chain('stem', stemChain),
          conv: 'Conv2d_7b_1x1',
          'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
          'auxiliary/conv': 'AuxLogits/Conv2d_2a_5x5',
          'auxiliary/logits': 'AuxLogits/Logits',
          logits: 'Logits/Logits',
        },
      }),
    },
  },
  preprocessing: preprocessingPresets['tf-slim'],
  ignored: scopeBookkeeping,
};
