/**
 * Xception (arXiv 1610.02357, figure 5) with the padding and epsilon of timm's legacy_xception. A test checks its 22,855,952
 * parameters and its logits against timm's. Keras's weights need `samePadding: 'tensorflow'` and an epsilon of 0.001.
 */
import {
  type ConvMarks,
  conv,
  depthwise,
  fullyConnected,
  globalAvgPool,
  linearSum,
  maxPool,
  type Network,
  registerNetwork,
  relu,
  repeat,
  sequence,
} from 'inception-networks';

/** SeparableConv: a depthwise convolution, then a 1x1 convolution, with nothing in between. */
const separable = (filters: number, marks?: ConvMarks) => [
  depthwise('3x3', 'Linear', { norm: false, bias: false }),
  conv('1x1', filters, marks),
];

/** Two separable convolutions and a pooling, next to a projected shortcut. */
const shrinking = (first: number, second: number) =>
  linearSum(
    [conv('1x1', second, 'stride 2 Linear')],
    [relu(), ...separable(first), ...separable(second, 'Linear'), maxPool('3x3', 'stride 2')],
  );

/** Entry flow, first block: its input already comes from a ReLU. */
const entry1 = linearSum(
  [conv('1x1', 128, 'stride 2 Linear')],
  [...separable(128), ...separable(128, 'Linear'), maxPool('3x3', 'stride 2')],
);

const middle = linearSum([], [relu(), ...separable(728), ...separable(728), ...separable(728, 'Linear')]);

const xception: Network = {
  name: 'xception',
  about: 'depthwise separable convolutions in place of Inception blocks',
  input: [299, 299, 3],
  classes: 1000,
  samePadding: 'torch',
  epsilon: 1e-5,
  layers: {
    stem: sequence(conv('3x3', 32, 'stride 2 V'), conv('3x3', 64, 'V')), // 147×147×64
    entry1, // 74×74×128
    entry2: shrinking(256, 256), // 37×37×256
    entry3: shrinking(728, 728), // 19×19×728
    middle: repeat(8, middle),
    exit: shrinking(728, 1024), // 10×10×1024
    separable: sequence(...separable(1536), ...separable(2048)), // 10×10×2048
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
  stages: { B: 'middle' },
};

export default registerNetwork(xception);
