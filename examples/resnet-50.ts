/**
 * ResNet-50 (arXiv 1512.03385, table 1) as built by torchvision: the stride of a block is in its 3x3 convolution. A test checks its
 * 25,557,032 parameters and its logits against torchvision's.
 */
import {
  conv,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
  registerNetwork,
  repeat,
  sequence,
  sum,
} from 'inception-networks';

/** Figure 5, right. The shortcut is the input itself. */
const bottleneck = (filters: number) =>
  sum([], [conv('1x1', filters), conv('3x3', filters), conv('1x1', 4 * filters, 'Linear')]);

/** The first block of a stage: its shortcut is projected, with a stride where the grid shrinks. */
const projected = (filters: number) =>
  sum(
    [conv('1x1', 4 * filters, 'stride 2 Linear')],
    [conv('1x1', filters), conv('3x3', filters, 'stride 2'), conv('1x1', 4 * filters, 'Linear')],
  );

/** The first block of the first stage, where the pooling has already shrunk the grid. */
const widened = sum(
  [conv('1x1', 256, 'Linear')],
  [conv('1x1', 64), conv('3x3', 64), conv('1x1', 256, 'Linear')],
);

const resnet50: Network = {
  name: 'resnet-50',
  about: 'the residual network of 50 layers',
  input: [224, 224, 3],
  classes: 1000,
  samePadding: 'torch',
  epsilon: 1e-5,
  layers: {
    stem: sequence(conv('7x7', 64, 'stride 2'), maxPool('3x3', 'stride 2')), // 56×56×64
    layer1: repeat(3, bottleneck(64), { first: widened }), // 56×56×256
    layer2: repeat(4, bottleneck(128), { first: projected(128) }), // 28×28×512
    layer3: repeat(6, bottleneck(256), { first: projected(256) }), // 14×14×1024
    layer4: repeat(3, bottleneck(512), { first: projected(512) }), // 7×7×2048
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
  // ResNet-101 is 23 of B, ResNet-152 is 8 of A and 36 of B.
  stages: { A: 'layer2', B: 'layer3', C: 'layer4' },
};

export default registerNetwork(resnet50);
