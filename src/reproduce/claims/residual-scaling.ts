/**
 * "If the number of filters exceeded 1000, the residual variants started to exhibit instabilities and the network has just 'died'."
 *
 *     inception reproduce residual-scaling --out reproduced/residual-scaling
 *
 * No result at the scales `minutes` or `hours` has been obtained yet.
 */
import type { Arm, RecipeChanges, TrainingClaim, TrainingScale } from '../claim.ts';

interface Size {
  /** Inception-ResNet-v2's last blocks have 2,144 filters at width 1. */
  readonly widths: readonly number[];
  readonly inputSize: number;
  readonly blocks: { A: number; B: number; C: number };
  /** Of a step. */
  readonly learningRate: number;
}

const filters = (width: number) => Math.round(2144 * width).toLocaleString('en');

function arms({ widths, inputSize, blocks, learningRate }: Size): readonly Arm[] {
  const widest = Math.max(...widths);
  const arm = (
    name: string,
    width: number,
    about: string,
    options: Arm['options'],
    recipe?: RecipeChanges,
  ): Arm => ({
    name: `${name}-w${width}`,
    about: `${filters(width)} filters, ${about}`,
    network: 'inception-resnet-v2',
    options: { width, inputSize, blocks, ...options },
    recipe: { learningRate, ...recipe },
    panel: `${filters(width)} filters`,
  });
  return [
    ...widths.flatMap((width) => [
      arm('off', width, 'residuals not scaled', { residualScale: 'off' }),
      ...[0.3, 0.2, 0.1].map((scale) =>
        arm(`${scale}`, width, `scaled by ${scale}`, { residualScale: scale }),
      ),
    ]),
    // The paper: "this could not be prevented, neither by lowering the learning rate, nor by adding an extra batch-normalization".
    arm(
      'low-rate',
      widest,
      'not scaled, a tenth of the learning rate',
      { residualScale: 'off' },
      { learningRate: learningRate / 10 },
    ),
    arm('extra-norm', widest, 'not scaled, batch normalisation on the last sum', {
      residualScale: 'off',
      sumNorm: 'last',
    }),
  ];
}

const scale = (size: Size, rest: Omit<TrainingScale, 'arms' | 'pairs' | 'data'>): TrainingScale => {
  const widest = Math.max(...size.widths);
  return {
    data: 'fashion-mnist',
    ...rest,
    arms: arms(size),
    pairs: size.widths
      .flatMap((width) =>
        [0.3, 0.2, 0.1].map((factor) => ({ arm: `${factor}-w${width}`, against: `off-w${width}` })),
      )
      .concat([
        { arm: `low-rate-w${widest}`, against: `off-w${widest}` },
        { arm: `extra-norm-w${widest}`, against: `off-w${widest}` },
      ]),
  };
};

export const residualScaling: TrainingClaim = {
  kind: 'training',
  id: 'residual-scaling',
  title: 'Wide residual networks die; scaling rescues them',
  quote:
    'if the number of filters exceeded 1000, the residual variants started to exhibit instabilities and the network has just “died” early in the training, meaning that the last layer before the average pooling started to produce only zeros after a few tens of thousands of iterations. This could not be prevented, neither by lowering the learning rate, nor by adding an extra batch-normalization to this layer. […] scaling down the residuals before adding them to the previous layer activation seemed to stabilize the training. In general we picked some scaling factors between 0.1 and 0.3',
  where: 'section 3.3, figure 20 (arXiv 1602.07261)',
  varied:
    'Width through 1,000 filters and the scale of the residuals; at the largest width also the learning rate and batch normalisation on the sum before the average pooling. The rate is the paper’s 0.045 for each step, not scaled by the batch, except where an arm says so.',
  cannotShow: [
    'death after tens of thousands of steps, where fewer were made: a network that lives at the end of these trainings may die later',
    'that a width alone is to blame: initialisation and rate act on the same sums, and the arms separate the rate only',
  ],
  measures: ['zeros', 'residuals'],
  scales: {
    smoke: scale(
      { widths: [0.125], inputSize: 75, blocks: { A: 1, B: 1, C: 1 }, learningRate: 0.045 },
      {
        seeds: 2,
        recipe: { name: 'small-data', epochs: 2, batch: 8 },
        limitTrain: 32,
        limitValidation: 16,
        limitTest: 16,
      },
    ),
    minutes: scale(
      { widths: [0.25, 0.5], inputSize: 75, blocks: { A: 1, B: 1, C: 1 }, learningRate: 0.045 },
      {
        seeds: 2,
        recipe: { name: 'paper', epochs: 3, batch: 32 },
        limitTrain: 2000,
        limitValidation: 500,
        limitTest: 1000,
      },
    ),
    hours: scale(
      { widths: [0.25, 0.5, 1], inputSize: 75, blocks: { A: 1, B: 2, C: 5 }, learningRate: 0.045 },
      {
        seeds: 3,
        recipe: { name: 'paper', epochs: 3, batch: 32 },
        limitTrain: 6000,
        limitValidation: 1000,
        limitTest: 2000,
      },
    ),
    gpu: scale(
      { widths: [0.25, 0.5, 1], inputSize: 75, blocks: { A: 5, B: 10, C: 5 }, learningRate: 0.045 },
      { seeds: 3, recipe: { name: 'paper', epochs: 20, batch: 32 } },
    ),
  },
};
