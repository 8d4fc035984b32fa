/**
 * "We trained our networks with stochastic gradient utilizing the TensorFlow distributed machine learning system using 20 replicas."
 *
 *     inception reproduce twenty-replicas --scale hours --out docs/claims/twenty-replicas
 *
 * At most 40 minutes are meant for the scale `hours`, on two cores with bfloat16. No result of the scales `minutes`, `hours` or `gpu` has been
 * obtained yet.
 */
import type { Arm, TrainingClaim, TrainingScale } from '../claim.ts';

interface Size {
  readonly width: number;
  readonly inputSize: number;
  readonly blocks: { A: number; B: number; C: number };
  /** Of a step; the last is the most. */
  readonly replicas: readonly [number, number, number];
  /** Of a replica. */
  readonly batch: number;
}

function arms({ replicas, batch, ...options }: Size): readonly Arm[] {
  const network = 'inception-resnet-v2';
  const whole = replicas[2] * batch;
  return [
    ...replicas.map((count) => ({
      name: `replicas-${count}`,
      about: `${count} ${count === 1 ? 'replica' : 'replicas'}, the rate scaled by them`,
      ...{ network, options },
      recipe: { replicas: count },
      panel: 'The same number of images',
    })),
    {
      name: `batch-${whole}`,
      about: `one replica with a batch of ${whole}, normalised together`,
      ...{ network, options },
      recipe: { batch: whole },
      panel: 'The same number of images',
    },
  ];
}

const scale = (
  size: Omit<Size, 'batch'>,
  rest: Omit<TrainingScale, 'arms' | 'pairs' | 'data'>,
): TrainingScale => {
  const [fewest, some, most] = size.replicas;
  return {
    data: 'fashion-mnist',
    ...rest,
    arms: arms({ ...size, batch: rest.recipe.batch }),
    pairs: [
      { arm: `replicas-${some}`, against: `replicas-${fewest}` },
      { arm: `replicas-${most}`, against: `replicas-${fewest}` },
      { arm: `replicas-${most}`, against: `batch-${most * rest.recipe.batch}` },
    ],
  };
};

const small = { width: 0.25, inputSize: 75, blocks: { A: 2, B: 3, C: 2 } };

export const twentyReplicas: TrainingClaim = {
  kind: 'training',
  id: 'twenty-replicas',
  title: 'Twenty replicas',
  quote:
    'We have trained our networks with stochastic gradient utilizing the TensorFlow distributed machine learning system using 20 replicas running each on a NVidia Kepler GPU.',
  where: 'section 4 (arXiv 1602.07261)',
  varied:
    'How many batches of 32 make a step: 1, 5 or 20, each normalised by statistics of its own, whose gradients are averaged. All see the same number of images with the paper’s recipe, whose rate follows the images of a step, so that twenty replicas make a twentieth of the steps at 20 times the rate, 0.045. The fourth arm is one replica with a batch of 640, normalised together: it separates what many small batches do from what a large one does.',
  reduction:
    'The step is the paper’s, 20 batches of 32 at a rate of 0.045; the network is a quarter as wide with blocks 2, 3, 2. Replicas are averaged after every step; the paper’s may have run without waiting for each other, which it does not say.',
  budgetMinutes: 40,
  cannotShow: [
    'whether twenty replicas are faster: they take turns on one machine here, and the number of images is what is equal',
    'a training that is long enough for few steps not to matter: twenty replicas make 150 steps where one makes 3,000',
  ],
  measures: [],
  scales: {
    smoke: scale(
      { width: 0.125, inputSize: 75, blocks: { A: 1, B: 1, C: 1 }, replicas: [1, 2, 4] },
      {
        seeds: 2,
        recipe: { name: 'paper', epochs: 2, batch: 8 },
        limitTrain: 32,
        limitValidation: 16,
        limitTest: 16,
      },
    ),
    minutes: scale(
      { ...small, replicas: [1, 5, 20] },
      {
        seeds: 1,
        recipe: { name: 'paper', epochs: 3, batch: 32 },
        limitTrain: 6400,
        limitValidation: 500,
        limitTest: 1000,
      },
    ),
    hours: scale(
      { ...small, replicas: [1, 5, 20] },
      {
        // From six pairs on, p can be below 0.05.
        seeds: 6,
        recipe: { name: 'paper', epochs: 6, batch: 32 },
        limitTrain: 16_000,
        limitValidation: 1000,
        limitTest: 4000,
      },
    ),
    gpu: scale(
      { width: 0.5, inputSize: 75, blocks: { A: 5, B: 10, C: 5 }, replicas: [1, 5, 20] },
      { seeds: 4, recipe: { name: 'paper', epochs: 20, batch: 32 } },
    ),
  },
};
