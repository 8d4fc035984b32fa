/**
 * "If the number of filters exceeded 1000, the residual variants started to exhibit instabilities and the network has just 'died'."
 *
 *     inception reproduce residual-scaling --scale hours --out docs/claims/residual-scaling
 *
 * At most 110 minutes are meant for the scale `hours`, on two cores with bfloat16. No result of the scales `minutes`, `hours` or `gpu` has been
 * obtained yet; what was seen of single runs at a small size stands in docs/training.md.
 */
import type { Arm, Pair, RecipeChanges, TrainingClaim, TrainingScale } from '../claim.ts';

interface Size {
  /** Inception-ResNet-v2's last blocks have 2,144 filters at width 1. */
  readonly widths: readonly number[];
  readonly inputSize: number;
  readonly blocks: { A: number; B: number; C: number };
  /** Of a step. */
  readonly batch: number;
  /** Epochs between the steps of the staircase. */
  readonly decayEvery: number;
  /** A long training of a narrower network, with one seed. */
  readonly long?: { readonly width: number; readonly epochs: number; readonly evaluateEvery: number };
}

const filters = (width: number) => Math.round(2144 * width).toLocaleString('en');

/** The paper's, for each step of 640 images. */
const paperRate = 0.045;
const scales = [0.3, 0.2, 0.1];
/** What the single controls do in place of a scale of 0.2. */
const factor = 0.2;

function arms({ widths, inputSize, blocks, batch, decayEvery, long }: Size): readonly Arm[] {
  const widest = Math.max(...widths);
  const slowRate = (paperRate * batch) / 640;
  const controls = `${filters(widest)} filters, what may stand in for a scale`;
  const common = {
    learningRate: paperRate,
    schedule: { kind: 'staircase', factor: 0.94, every: decayEvery },
  } as const;
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
    recipe: { ...common, ...recipe },
    panel: `${filters(width)} filters, rate ${paperRate}`,
    ...(width === widest && ['off', '0.2'].includes(name) && { alsoIn: [controls] }),
  });
  const slow = (name: string, width: number, about: string, options: Arm['options']): Arm => ({
    ...arm(name, width, `${about}, the rate scaled by the batch`, options, { learningRate: slowRate }),
    panel: `The rate scaled by the batch, ${+slowRate.toPrecision(2)}`,
  });
  const control = (...given: Parameters<typeof arm>): Arm => ({ ...arm(...given), panel: controls });
  const off = { residualScale: 'off' } as const;
  return [
    ...widths.flatMap((width) => [
      arm('off', width, 'residuals not scaled', off),
      ...scales.map((scale) => arm(`${scale}`, width, `scaled by ${scale}`, { residualScale: scale })),
      // The paper: "this could not be prevented, neither by lowering the learning rate, nor by adding an extra batch-normalization".
      slow('off-slow', width, 'not scaled', off),
      slow('0.2-slow', width, 'scaled by 0.2', { residualScale: 0.2 }),
    ]),
    control('extra-norm', widest, 'not scaled, batch normalisation on the last sum', {
      ...off,
      sumNorm: 'last',
    }),
    control('small-init', widest, 'not scaled, residuals begin with a fifth', off, { residualInit: factor }),
    control('small-rate', widest, 'not scaled, residuals learn at a fifth of the rate', off, {
      residualRate: factor,
    }),
    { ...control('off-float32', widest, 'not scaled, in float32', off), precision: 'float32' },
    ...(long
      ? [
          {
            ...arm('off-long', long.width, 'not scaled, the rate scaled by the batch, long', off, {
              ...{ learningRate: slowRate, epochs: long.epochs },
            }),
            ...{ seeds: 1, evaluateEvery: long.evaluateEvery, panel: `${filters(long.width)} filters, long` },
          },
        ]
      : []),
  ];
}

function pairsOf(widths: readonly number[]): readonly Pair[] {
  const widest = Math.max(...widths);
  return [
    ...widths.flatMap((width) => [
      ...scales.map((scale) => ({ arm: `${scale}-w${width}`, against: `off-w${width}` })),
      { arm: `off-slow-w${width}`, against: `off-w${width}` },
      { arm: `0.2-slow-w${width}`, against: `off-slow-w${width}` },
    ]),
    ...['extra-norm', 'small-init', 'small-rate', 'off-float32'].map((name) => ({
      arm: `${name}-w${widest}`,
      against: `off-w${widest}`,
    })),
    // Whether a scale is more than a smaller beginning, or a smaller rate.
    ...['small-init', 'small-rate'].map((name) => ({
      arm: `0.2-w${widest}`,
      against: `${name}-w${widest}`,
    })),
  ];
}

const scale = (
  size: Omit<Size, 'batch'>,
  rest: Omit<TrainingScale, 'arms' | 'pairs' | 'data'>,
): TrainingScale => ({
  data: 'fashion-mnist',
  ...rest,
  arms: arms({ ...size, batch: rest.recipe.batch }),
  pairs: pairsOf(size.widths),
});

export const residualScaling: TrainingClaim = {
  kind: 'training',
  id: 'residual-scaling',
  title: 'Wide residual networks die; scaling rescues them',
  quote:
    'if the number of filters exceeded 1000, the residual variants started to exhibit instabilities and the network has just “died” early in the training, meaning that the last layer before the average pooling started to produce only zeros after a few tens of thousands of iterations. This could not be prevented, neither by lowering the learning rate, nor by adding an extra batch-normalization to this layer. […] scaling down the residuals before adding them to the previous layer activation seemed to stabilize the training. In general we picked some scaling factors between 0.1 and 0.3',
  where: 'section 3.3, figure 20 (arXiv 1602.07261)',
  varied:
    'Width through 1,000 filters (the last blocks of Inception-ResNet-v2 have 536, 1,072 and 2,144 at widths 0.25, 0.5 and 1), the scale of the residuals, and the rate: the paper’s 0.045 for each step, and the same scaled by the batch. At the largest width also what the paper tried, batch normalisation on the sum before the average pooling, and three controls: a fifth of the initial values in the last convolution of each residual, which a scale of 0.2 implies; a fifth of the learning rate there, which it implies too; and float32, where bfloat16 is usual.',
  reduction:
    'Where the claim is about width, widths are the paper’s own: width 1 has its 2,144 filters. Blocks are 1, 2 and 5, so that the last stage, whose outputs die, is as deep as drawn; the earlier stages are shorter, and the input is 75×75. The rate of the unscaled arms is that of a step of 640 images although steps have 32: this is harder on a network than the paper’s training was, so that death comes earlier, if it comes.',
  pilot:
    'Single trainings, one seed each, blocks 1, 1, 1 at 75×75, 1,280 images of Fashion-MNIST, the rate of 0.045 for a step of 32, float32; errors are of 64 test images, so that 6 points mean nothing (docs/training.md has the steps). Without a scale, the network with 536 filters learnt (37.5% after 320 steps); with 1,072 filters 99% of the features were zero from step 40 on and the loss was that of guessing for 200 steps, after which it began to learn (75.0%); with 2,144 filters 99.6% were zero after 160 steps (82.8%). Scaled by 0.2, 1,072 filters came to 32.8% and 2,144 to 37.5%. Without a scale, but with a fifth of the initial values of the residuals, 1,072 filters came to 34.4%, and with a fifth of their rate to 37.5%; at a twentieth of the whole rate to 31.2%. No share of zeros reached 99.9%.',
  budgetMinutes: 110,
  cannotShow: [
    'death after tens of thousands of steps, where fewer were made: a network that lives at the end of these trainings may die later',
    'which rate is the limit at each width: there are two rates, a factor of 20 apart',
    'what the paper’s twenty replicas do: their gradients are less noisy than those of a batch of 32',
  ],
  measures: ['zeros', 'residuals'],
  scales: {
    smoke: scale(
      { widths: [0.125], inputSize: 75, blocks: { A: 1, B: 1, C: 1 }, decayEvery: 2 },
      {
        seeds: 2,
        recipe: { name: 'paper', epochs: 2, batch: 8 },
        limitTrain: 32,
        limitValidation: 16,
        limitTest: 16,
      },
    ),
    minutes: scale(
      { widths: [0.25, 0.5], inputSize: 75, blocks: { A: 1, B: 1, C: 1 }, decayEvery: 2 },
      {
        seeds: 1,
        recipe: { name: 'paper', epochs: 3, batch: 32 },
        limitTrain: 2000,
        limitValidation: 500,
        limitTest: 1000,
      },
    ),
    hours: scale(
      {
        ...{ widths: [0.25, 0.5, 1], inputSize: 75, blocks: { A: 1, B: 2, C: 5 } },
        // 4,000 steps, as two epochs of the paper have.
        decayEvery: 32,
        // 20,000 steps.
        long: { width: 0.5, epochs: 160, evaluateEvery: 10 },
      },
      {
        seeds: 3,
        recipe: { name: 'paper', epochs: 6, batch: 32 },
        limitTrain: 4000,
        limitValidation: 500,
        limitTest: 1000,
      },
    ),
    gpu: scale(
      { widths: [1], inputSize: 75, blocks: { A: 5, B: 10, C: 5 }, decayEvery: 2 },
      { seeds: 2, recipe: { name: 'paper', epochs: 20, batch: 32 } },
    ),
  },
};
