/**
 * "Ensemble results with 144 crops/dense evaluation. […] For Inception-v4(+Residual), the ensemble consists of one pure Inception-v4 and
 * three Inception-ResNet-v2 models."
 *
 *     inception reproduce crops-and-ensembles --scale hours --data photos --out docs/claims/crops-and-ensembles
 *
 * At most 40 minutes are meant for the scale `hours`, on two cores with bfloat16. No result of the scales `minutes`, `hours` or `gpu` has been
 * obtained yet. docs/reproduce.md says where photographs can be had.
 */
import type { Arm, TrainingClaim, TrainingScale } from '../claim.ts';

type Blocks = { A: number; B: number; C: number };

const members = ['residual-a', 'residual-b', 'residual-c'];

function arms(width: number, inputSize: number, blocks: { v4?: Blocks; residual?: Blocks }): readonly Arm[] {
  const panel = 'Members of the ensemble';
  const sizes = (own: Blocks | undefined) => ({ width, inputSize, ...(own && { blocks: own }) });
  return [
    { name: 'v4', about: 'Inception-v4', network: 'inception-v4', options: sizes(blocks.v4), panel },
    ...members.map((name, index) => ({
      name,
      about: `Inception-ResNet-v2, member ${index + 1}`,
      network: 'inception-resnet-v2',
      options: sizes(blocks.residual),
      panel,
      seedOffset: 1000 * index,
    })),
  ];
}

const scale = (
  [width, inputSize, blocks]: Parameters<typeof arms>,
  rest: Omit<TrainingScale, 'arms' | 'pairs'>,
): TrainingScale => ({ ...rest, arms: arms(width, inputSize, blocks), pairs: [] });

const one = { A: 1, B: 1, C: 1 };
const drawn = { v4: { A: 4, B: 7, C: 3 }, residual: { A: 5, B: 10, C: 5 } };
const third = { v4: { A: 1, B: 2, C: 1 }, residual: { A: 2, B: 3, C: 2 } };

export const cropsAndEnsembles: TrainingClaim = {
  kind: 'training',
  id: 'crops-and-ensembles',
  title: 'More crops and ensembles',
  quote:
    'Single crop […] 10/12 crops evaluations […] 144 crops evaluations […] Ensemble results with 144 crops/dense evaluation. […] the ensemble consists of one pure Inception-v4 and three Inception-ResNet-v2 models',
  where: 'tables 2 to 5 (arXiv 1602.07261)',
  varied:
    'The number of crops of an image, 1, 12 and 144, and one network against the ensemble of one Inception-v4 and three Inception-ResNet-v2; the networks are trained on random crops, and for each seed the same ones are evaluated in every way.',
  reduction:
    'Networks are a quarter as wide, with blocks 1, 2, 1 and 2, 3, 2, and see 139×139 instead of 299×299; photographs are larger than that, so that each crop shows another part of them, as it does at 299.',
  budgetMinutes: 40,
  cannotShow: [
    'the sizes of the gains on ImageNet: they depend on the data and on how good one network is',
    'anything for images that fill no more than the network’s input: crops of enlarged images hold nothing new',
  ],
  measures: [],
  crops: { counts: [1, 12, 144], ensemble: ['v4', ...members] },
  scales: {
    smoke: scale([0.125, 75, { v4: one, residual: one }], {
      ...{
        seeds: 2,
        recipe: { name: 'paper', epochs: 1, batch: 8, batchNormMomentum: 0.01, averageDecay: 0.9 },
      },
      ...{ limitTrain: 24, limitValidation: 8, limitTest: 8 },
    }),
    minutes: scale([0.25, 75, third], {
      ...{
        seeds: 2,
        recipe: { name: 'paper', epochs: 8, batch: 32, batchNormMomentum: 0.01, averageDecay: 0.998 },
      },
      ...{ limitTrain: 2000, limitTest: 200 },
    }),
    hours: scale([0.25, 139, third], {
      ...{
        seeds: 3,
        recipe: { name: 'paper', epochs: 16, batch: 32, batchNormMomentum: 0.01, averageDecay: 0.998 },
      },
      ...{ limitTrain: 2000, limitTest: 300 },
    }),
    // Two thousand photographs: 30,000 steps.
    gpu: scale([0.5, 139, drawn], {
      ...{
        seeds: 3,
        recipe: { name: 'paper', epochs: 480, batch: 32, batchNormMomentum: 0.003, averageDecay: 0.999 },
      },
      ...{ limitTrain: 2000, limitTest: 1000 },
    }),
  },
};
