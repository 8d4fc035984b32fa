/**
 * "Training with residual connections accelerates the training of Inception networks significantly."
 *
 *     inception reproduce residual-connections --scale hours --out docs/claims/residual-connections
 *
 * At most 100 minutes are meant for the scale `hours`, on two cores with bfloat16. No result of the scales `minutes`, `hours` or `gpu` has been
 * obtained yet.
 */
import type { Arm, TrainingClaim, TrainingScale } from '../claim.ts';

type RecipeName = 'small-data' | 'paper';

interface Size {
  readonly width: number;
  readonly inputSize: number;
  /** Of Inception-v3 and -v4, and of the residual networks: the drawn counts divided alike. */
  readonly blocks: { readonly [K in 'v3' | 'v4' | 'residual']: { A: number; B: number; C: number } };
  readonly recipes: readonly RecipeName[];
}

const armNames = { 'small-data': '', paper: 'paper-' } as const satisfies Record<RecipeName, string>;

/**
 * Each residual network is reduced as its partner is, and its width is then solved for the same multiply-adds: the figures' own costs
 * differ by 8% (v3, v1) and by 24% (v4, v2).
 */
function arms({ width, inputSize, blocks }: Size, recipe: RecipeName): readonly Arm[] {
  const pair = (plain: 'v3' | 'v4', residual: 'v1' | 'v2'): readonly Arm[] => {
    const plainName = `${armNames[recipe]}${plain}`;
    const common = {
      network: `inception-resnet-${residual}`,
      panel: `Inception-${plain} and Inception-ResNet-${residual}, recipe ${recipe}`,
      recipe: { name: recipe },
      costOf: plainName,
    };
    const options = { width, inputSize, blocks: blocks.residual };
    return [
      {
        name: plainName,
        about: `Inception-${plain}, recipe ${recipe}`,
        network: `inception-${plain}`,
        options: { width, inputSize, blocks: blocks[plain] },
        recipe: common.recipe,
        panel: common.panel,
      },
      {
        ...common,
        name: `${armNames[recipe]}residual-${residual}`,
        about: `Inception-ResNet-${residual}, recipe ${recipe}`,
        options,
      },
      {
        ...common,
        name: `${armNames[recipe]}no-shortcuts-${residual}`,
        about: `Inception-ResNet-${residual} without its shortcuts, recipe ${recipe}: the same layers, initial values and order of images`,
        options: { ...options, shortcuts: false },
      },
    ];
  };
  return [...pair('v3', 'v1'), ...pair('v4', 'v2')];
}

const pairsOf = (recipe: RecipeName) =>
  [
    ['residual-v1', 'v3'],
    ['residual-v1', 'no-shortcuts-v1'],
    ['residual-v2', 'v4'],
    ['residual-v2', 'no-shortcuts-v2'],
  ].map(([arm, against]) => ({
    arm: `${armNames[recipe]}${arm}`,
    against: `${armNames[recipe]}${against}`,
  }));

const third = {
  v3: { A: 1, B: 2, C: 1 },
  v4: { A: 1, B: 2, C: 1 },
  residual: { A: 2, B: 3, C: 2 },
};
const drawn = { v3: { A: 3, B: 4, C: 2 }, v4: { A: 4, B: 7, C: 3 }, residual: { A: 5, B: 10, C: 5 } };
const one = { A: 1, B: 1, C: 1 };

const scale = (size: Size, rest: Omit<TrainingScale, 'arms' | 'pairs' | 'data'>): TrainingScale => ({
  data: 'fashion-mnist',
  ...rest,
  arms: size.recipes.flatMap((recipe) => arms(size, recipe)),
  pairs: size.recipes.flatMap(pairsOf),
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
    'Shortcuts. Each pair has the same multiply-adds for an image, the same recipe, and for each seed the same order and augmentation of images. The third arm is the residual network with its additions removed: it separates what the shortcuts do from what depth, batch normalisation and initialisation of these blocks do. Everything is done with the paper’s recipe, its rate scaled by the batch, and with that for small data.',
  reduction:
    'A reduced network keeps what the claim is about: the order of the stages, the branches of every block, and more residual blocks than plain ones at the same cost, as drawn (5, 10, 5 against 4, 7, 3; here 2, 3, 2 against 1, 2, 1). Width and input are a quarter, which change how much each layer computes and not how many layers a gradient passes. What is lost is depth: there are 7 blocks where the paper has 20, and shortcuts are known to matter more the more there are, so that a small effect here does not contradict a large one there.',
  budgetMinutes: 100,
  cannotShow: [
    'anything about the full networks on ImageNet: width, number of blocks, input and data are reduced, and the effect of shortcuts is known to grow with depth',
    'an effect of the paper’s long schedule: these trainings are shorter by orders of magnitude',
  ],
  measures: ['reach'],
  scales: {
    smoke: scale(
      { width: 0.125, inputSize: 75, blocks: { v3: one, v4: one, residual: one }, recipes: ['small-data'] },
      {
        seeds: 2,
        recipe: { name: 'small-data', epochs: 2, batch: 8 },
        limitTrain: 32,
        limitValidation: 16,
        limitTest: 16,
      },
    ),
    minutes: scale(
      { width: 0.25, inputSize: 75, blocks: third, recipes: ['small-data'] },
      {
        seeds: 3,
        recipe: { name: 'small-data', epochs: 4, batch: 32 },
        limitTrain: 4000,
        limitValidation: 1000,
        limitTest: 2000,
      },
    ),
    hours: scale(
      { width: 0.25, inputSize: 75, blocks: third, recipes: ['small-data', 'paper'] },
      {
        // From six pairs on, p can be below 0.05.
        seeds: 6,
        recipe: { name: 'small-data', epochs: 8, batch: 32 },
        limitTrain: 12_000,
        limitValidation: 2000,
        // A few thousand photographs: about half as many steps, evaluated as often.
        otherData: { epochs: 30, limitTrain: undefined, limitValidation: undefined },
      },
    ),
    gpu: scale(
      { width: 1, inputSize: 75, blocks: drawn, recipes: ['paper'] },
      { seeds: 3, recipe: { name: 'paper', epochs: 20, batch: 32 } },
    ),
  },
};
