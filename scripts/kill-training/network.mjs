/** The network of kill-training.mjs: as small as one can be that has everything a checkpoint holds. */
export default {
  name: 'kill-training',
  about: 'one convolution',
  input: [16, 16, 3],
  classes: 2,
  layers: {
    stem: { kind: 'conv', window: '3x3', filters: 4, marks: 'stride 2' },
    averagePooling: { kind: 'globalAvgPool' },
    dropout: { kind: 'dropout', keep: 0.8 },
    logits: { kind: 'fullyConnected' },
  },
};
