/**
 * The numbers of a compiled step, each declared once: the recipes, the command line, a run's file and `compileTraining` all hold to
 * these ranges. Upper bounds are far above any use: beyond them float32 or memory would overflow.
 */
import { numberOption, numberOrOffOption } from '../option.ts';

export const stepNumbers = {
  batch: numberOption({
    whole: true,
    atLeast: 1,
    atMost: 65_536,
    flag: '--batch <n>',
    about: 'images of each replica in a step; scales the default learning rate',
    label: 'Batch',
  }),
  weightDecay: numberOption({
    atLeast: 0,
    atMost: 1000,
    flag: '--weight-decay <factor>',
    about: 'weight decay of convolution and dense weights',
    label: 'Weight decay',
  }),
  labelSmoothing: numberOption({
    atLeast: 0,
    below: 1,
    flag: '--label-smoothing <factor>',
    about: 'label smoothing factor',
    label: 'Label smoothing',
  }),
  auxiliaryLossWeight: numberOption({
    atLeast: 0,
    atMost: 1000,
    flag: '--auxiliary-loss-weight <factor>',
    about: "weight of the auxiliary classifier's loss (with --auxiliary)",
    label: 'Auxiliary loss weight',
  }),
  /** Weight of a batch's statistics in the moving averages (1 − TensorFlow's decay); in step t at least 9 / (10 + t). */
  batchNormMomentum: numberOption({
    atLeast: 0,
    atMost: 1,
    flag: '--batch-norm-momentum <factor>',
    about: "weight of a batch's statistics in the moving averages; in step t at least 9 / (10 + t)",
    label: 'Batch norm momentum',
  }),
  /** Maximum norm of the gradient; null disables clipping. */
  clipNorm: numberOrOffOption({
    above: 0,
    flag: '--clip-norm <norm>',
    about: "clip the gradient's norm; 'off' to disable",
    label: 'Clip norm',
  }),
  /** Of the learning rate, from each part of the network to the part before it; null: the same rate everywhere. */
  layerDecay: numberOrOffOption({
    above: 0,
    below: 1,
    flag: '--layer-decay <factor>',
    about:
      "factor of the learning rate from each part to the one before it; 1 at the classifier; 'off' to disable",
    label: 'Layer decay',
  }),
  /** Of the learning rate, in the last convolution of each residual block: what the block adds. */
  residualRate: numberOption({
    above: 0,
    atMost: 1,
    flag: '--residual-rate <factor>',
    about: 'factor of the learning rate of the last convolution of each residual block',
    label: 'Residual rate',
  }),
};
