/** The training recipes: every number of a training that is not the network's, as plain data. */
import { UsageError } from '../errors.ts';
import { type Augmentation, mildAugmentation, paperAugmentation } from '../images/augment.ts';

/** How the learning rate moves; see {@link learningRateAt}. */
export type Schedule =
  /** rate · factor ^ floor(epoch / every) */
  | { readonly kind: 'staircase'; readonly factor: number; readonly every: number }
  /** From the rate down to nothing along half a cosine, after a linear warm-up. */
  | { readonly kind: 'cosine'; readonly warmup: number };

/** Every number of a training that is not the network's. */
export interface Recipe {
  readonly name: string;
  readonly epochs: number;
  readonly batch: number;
  /** At the beginning, or after the warm-up. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** RMSProp's decay of the mean square. */
  readonly rmsDecay: number;
  /** Added to the mean square, inside the root. */
  readonly rmsEpsilon: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly auxiliaryLossWeight: number;
  /** Share of a batch's statistics in the moving ones (1 − TensorFlow's decay). */
  readonly batchNormMomentum: number;
  /** Decay of the weights' running averages; in step t at most (1 + t) / (10 + t), so that short trainings profit. */
  readonly averageDecay: number;
  /** Largest norm of the gradient; null is off. */
  readonly clipNorm: number | null;
  readonly distortion: Augmentation;
  /** Share of each side that the evaluation's central crop keeps. */
  readonly evaluationCrop: number;
}

/** Learning rate 0.045 belongs to 20 replicas with 32 images each. */
const paperGlobalBatch = 640;

/**
 * The paper's (section 4), with the details of Google's published trainers: momentum 0.9 and label smoothing 0.1. The
 * learning rate is scaled with the batch.
 */
const paper = (batch: number): Recipe => ({
  name: 'paper',
  epochs: 160,
  batch,
  learningRate: (0.045 * batch) / paperGlobalBatch,
  schedule: { kind: 'staircase', factor: 0.94, every: 2 },
  rmsDecay: 0.9,
  rmsEpsilon: 1,
  momentum: 0.9,
  weightDecay: 4e-5,
  labelSmoothing: 0.1,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 0.0003,
  averageDecay: 0.9999,
  clipNorm: null,
  distortion: paperAugmentation,
  evaluationCrop: 0.875,
});

/** For tens of thousands of small images and minutes to hours. */
const smallData = (batch: number): Recipe => ({
  ...paper(batch),
  name: 'small-data',
  epochs: 20,
  // At epsilon 1 small gradients leave RMSProp's root at 1: this is nearly momentum, and takes momentum's rate.
  learningRate: (0.15 * batch) / 64,
  schedule: { kind: 'cosine', warmup: 1 },
  // Slow enough for the averaged weights, fast enough for a few thousand steps.
  batchNormMomentum: 0.01,
  averageDecay: 0.998,
  distortion: mildAugmentation,
  evaluationCrop: 1,
});

const recipes: Readonly<Record<string, (batch: number) => Recipe>> = { paper, 'small-data': smallData };
const defaultBatch: Readonly<Record<string, number>> = { paper: 32, 'small-data': 64 };

export const recipeNames: readonly string[] = Object.keys(recipes);

/** A recipe or a number of it that cannot be. */
export class RecipeError extends UsageError {
  override name = 'RecipeError';
}

/** Everything of a recipe may be overridden; of the distortion, single entries. */
export type RecipeOverrides = Partial<Omit<Recipe, 'name' | 'distortion'>> & {
  distortion?: Partial<Augmentation>;
};

/** A named recipe with overrides. @throws RecipeError naming the recipes there are, or the number and its range. */
export function resolveRecipe(name: string, overrides: RecipeOverrides = {}): Recipe {
  const make = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (!make) throw new RecipeError(`no recipe is called '${name}'; there are ${recipeNames.join(', ')}`);
  const base = make(overrides.batch ?? (defaultBatch[name] as number));
  const recipe = { ...base, ...overrides, distortion: { ...base.distortion, ...overrides.distortion } };
  for (const [key, [expected, accepts]] of Object.entries(ranges)) {
    const value = recipe[key as keyof Recipe];
    if (typeof value === 'number' && !accepts(value)) {
      throw new RecipeError(`${key}: expected ${expected}, received ${value}`);
    }
  }
  return recipe;
}

type Range = readonly [expected: string, accepts: (value: number) => boolean];

const share: Range = ['a number from 0 to 1', (value) => value >= 0 && value <= 1];
const belowOne: Range = ['a number of at least 0 and below 1', (value) => value >= 0 && value < 1];
const atLeastZero: Range = ['a number of at least 0', (value) => value >= 0 && Number.isFinite(value)];
const aboveZero: Range = ['a number above 0', (value) => value > 0 && Number.isFinite(value)];

const ranges: Readonly<Partial<Record<keyof Recipe, Range>>> = {
  epochs: aboveZero,
  batch: ['a whole number of at least 1', (value) => Number.isSafeInteger(value) && value >= 1],
  learningRate: aboveZero,
  rmsDecay: belowOne,
  rmsEpsilon: aboveZero,
  momentum: belowOne,
  weightDecay: atLeastZero,
  labelSmoothing: belowOne,
  auxiliaryLossWeight: atLeastZero,
  batchNormMomentum: share,
  averageDecay: belowOne,
  clipNorm: aboveZero,
  evaluationCrop: ['a number above 0 and at most 1', (value) => value > 0 && value <= 1],
};

/** The learning rate of step t (from 0). `stepsPerEpoch` may differ between data, epochs may be broken: 1.5. */
export function learningRateAt(
  step: number,
  { recipe, stepsPerEpoch }: { recipe: Recipe; stepsPerEpoch: number },
): number {
  const { learningRate, schedule, epochs } = recipe;
  const epoch = step / stepsPerEpoch;
  if (schedule.kind === 'staircase')
    return learningRate * schedule.factor ** Math.floor(epoch / schedule.every);
  const warmup = Math.min(schedule.warmup, epochs / 2);
  if (epoch < warmup) return (learningRate * (step + 1)) / Math.ceil(warmup * stepsPerEpoch);
  const progress = Math.min(1, (epoch - warmup) / (epochs - warmup));
  return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** TensorFlow's warm-up of a running average: early steps trust the newest weights. */
export const averageDecayAt = (step: number, decay: number): number =>
  Math.min(decay, (1 + step) / (10 + step));
