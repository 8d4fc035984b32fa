/** The network of fixtures/own-networks/make.py: every mark, TensorFlow's padding, groups. */
import {
  conv,
  depthwise,
  fullyConnected,
  globalAvgPool,
  linearSum,
  maxPool,
  type Network,
  relu,
} from '../../src/networks/notation.ts';

export const smallNetwork: Network = {
  name: 'small',
  about: 'the network of make.py',
  input: [20, 20, 3],
  classes: 5,
  layers: {
    first: conv('3x3', 8, 'stride 2'), // 10×10
    pooling: maxPool('3x3', 'stride 2'), // 5×5
    grouped: conv('3x3', 16, undefined, { groups: 4, norm: false }),
    deep: depthwise('5x5', 'stride 2'), // 3×3
    added: linearSum([conv('1x1', 16, 'Linear')], [relu(), conv('1x1', 16, 'Linear')]),
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
};
