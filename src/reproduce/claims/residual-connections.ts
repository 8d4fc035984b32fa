/**
 * "Training with residual connections accelerates the training of Inception networks significantly."
 *
 *     inception reproduce residual-connections --out reproduced/residual-connections
 *
 * No result at the scales `minutes` or `hours` has been obtained yet.
 */
import type { Arm, TrainingClaim, TrainingScale } from '../claim.ts';

interface Size {
  readonly width: number;
  readonly inputSize: number;
  /** Of Inception-v3 and -v4, and of the residual networks: the drawn counts divided alike. */
  readonly blocks: { readonly [K in 'v3' | 'v4' | 'residual']: { A: number; B: number; C: number } };
}

/**
 * Each residual network is reduced as its partner is, and its width is then solved for the same multiply-adds: the figures' own costs
 * differ by 8% (v3, v1) and by 24% (v4, v2).
 */
function arms({ width, inputSize, blocks }: Size): readonly Arm[] {
  const pair = (plain: 'v3' | 'v4', residual: 'v1' | 'v2'): readonly Arm[] => {
    const common = {
      network: `inception-resnet-${residual}`,
      panel: `Inception-${plain} and Inception-ResNet-${residual}`,
      costOf: plain,
    };
    const options = { width, inputSize, blocks: blocks.residual };
    return [
      {
        name: plain,
        about: `Inception-${plain}, without residual connections`,
        network: `inception-${plain}`,
        options: { width, inputSize, blocks: blocks[plain] },
        panel: common.panel,
      },
      { ...common, name: `residual-${residual}`, about: `Inception-ResNet-${residual}`, options },
      {
        ...common,
        name: `no-shortcuts-${residual}`,
        about: `Inception-ResNet-${residual} without its shortcuts: the same layers, initial values and order of images`,
        options: { ...options, shortcuts: false },
      },
    ];
  };
  return [...pair('v3', 'v1'), ...pair('v4', 'v2')];
}

const pairs = [
  { arm: 'residual-v1', against: 'v3' },
  { arm: 'residual-v1', against: 'no-shortcuts-v1' },
  { arm: 'residual-v2', against: 'v4' },
  { arm: 'residual-v2', against: 'no-shortcuts-v2' },
];

const third = {
  v3: { A: 1, B: 2, C: 1 },
  v4: { A: 1, B: 2, C: 1 },
  residual: { A: 2, B: 3, C: 2 },
};
const drawn = { v3: { A: 3, B: 4, C: 2 }, v4: { A: 4, B: 7, C: 3 }, residual: { A: 5, B: 10, C: 5 } };

const scale = (size: Size, rest: Omit<TrainingScale, 'arms' | 'pairs' | 'data'>): TrainingScale => ({
  data: 'fashion-mnist',
  ...rest,
  arms: arms(size),
  pairs,
});

export const residualConnections: TrainingClaim = {
  kind: 'training',
  id: 'residual-connections',
  title: 'Residual connections speed up training',
  quote:
    'Here we give clear empirical evidence that training with residual connections accelerates the training of Inception networks significantly. […] The residual model was training much faster, but reached slightly worse final accuracy than the traditional Inception-v3. […] The residual version was training much faster and reached slightly better final accuracy than the traditional Inception-v4.',
  where:
    'abstract, and the figures of errors during training, 21 to 26 in arXiv 1602.07261 (their numbers differ between prints)',
  varied:
    'Shortcuts. Each pair has the same multiply-adds for an image, the same recipe, and for each seed the same order and augmentation of images. The third arm is the residual network with its additions removed: it separates what the shortcuts do from what depth, batch normalisation and initialisation of these blocks do.',
  cannotShow: [
    'anything about the full networks on ImageNet: width, number of blocks, input and data are reduced, and the effect of shortcuts is known to grow with depth',
    'an effect of the paper’s long schedule: these trainings are shorter by orders of magnitude',
  ],
  measures: ['reach'],
  scales: {
    smoke: scale(
      { width: 0.125, inputSize: 75, blocks: { v3: one(), v4: one(), residual: one() } },
      {
        seeds: 2,
        recipe: { name: 'small-data', epochs: 2, batch: 8 },
        limitTrain: 32,
        limitValidation: 16,
        limitTest: 16,
      },
    ),
    minutes: scale(
      { width: 0.25, inputSize: 75, blocks: third },
      {
        seeds: 3,
        recipe: { name: 'small-data', epochs: 4, batch: 32 },
        limitTrain: 4000,
        limitValidation: 1000,
        limitTest: 2000,
      },
    ),
    hours: scale(
      { width: 0.25, inputSize: 75, blocks: third },
      {
        seeds: 5,
        recipe: { name: 'small-data', epochs: 6, batch: 32 },
        limitTrain: 24_000,
        limitValidation: 4000,
      },
    ),
    gpu: scale(
      { width: 1, inputSize: 75, blocks: drawn },
      { seeds: 5, recipe: { name: 'small-data', epochs: 20, batch: 64 } },
    ),
  },
};

function one() {
  return { A: 1, B: 1, C: 1 };
}
