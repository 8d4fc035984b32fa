/** The training recipes, as plain data: every hyperparameter that is not the network's. */
import {
  type Optimizer,
  optimizers,
  typicalLearningRates,
  usualOptimizers,
} from '../../compile/optimizers/optimizers.ts';
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { allParts, freeze, isAuxiliaryIdle } from '../../graph/parts.ts';
import { isMixing } from '../../images/augmentation/mix.ts';
import {
  type Augmentation,
  augmentationOptions,
  fineTuneAugmentation,
  mildAugmentation,
  paperAugmentation,
} from '../../images/augmentation.ts';
import { layersIn, type Network } from '../../networks/notation.ts';
import { checkOptions, checkVariant, nothingLeft } from '../../option.ts';
import {
  type RecipeNumbers,
  recipeNumbers,
  type Schedule,
  schedules,
  unusedNumbers,
  usualSchedules,
} from './recipe-options.ts';

/** Every hyperparameter of a training that is not the network's. */
export interface Recipe extends RecipeNumbers {
  readonly name: string;
  readonly schedule: Schedule;
  readonly optimizer: Optimizer;
  readonly augmentation: Augmentation;
}

/** The paper's learning rate of 0.045 is for 20 replicas with 32 images each. */
const paperGlobalBatch = 640;

/**
 * The paper's recipe (section 4), completed from Google's published trainers: momentum 0.9 and label smoothing 0.1. The
 * learning rate scales with the batch.
 */
const paper = (batch: number): Recipe => ({
  name: 'paper',
  epochs: 160,
  batch,
  learningRate: (0.045 * batch) / paperGlobalBatch,
  schedule: usualSchedules.staircase,
  optimizer: usualOptimizers.rmsprop,
  weightDecay: 4e-5,
  labelSmoothing: 0.1,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 0.0003,
  averageDecay: 0.9999,
  clipNorm: null,
  ...unusedNumbers,
  augmentation: paperAugmentation,
  evaluationCrop: 0.875,
});

/** For tens of thousands of small images, and minutes to hours of training. */
const smallData = (batch: number): Recipe => ({
  ...paper(batch),
  name: 'small-data',
  epochs: 20,
  // With epsilon 1 and small gradients RMSProp's root stays near 1: this is nearly momentum SGD, and takes its rate.
  learningRate: (0.15 * batch) / 64,
  schedule: usualSchedules.cosine,
  // Slow enough for the averaged weights, fast enough for a few thousand steps.
  batchNormMomentum: 0.01,
  averageDecay: 0.998,
  augmentation: mildAugmentation,
  evaluationCrop: 1,
});

/** Of an optimiser's usual learning rate: trained weights are changed, not made. */
const fineTuneShare = 0.2;
const fineTuneBatch = 16;

/** For trained weights and new classes; docs/fine-tuning.md gives the argument and the source of each number. */
const fineTune = (batch: number): Recipe => ({
  ...paper(batch),
  name: 'fine-tune',
  epochs: 10,
  learningRate: (fineTuneShare * typicalLearningRates.adamw * batch) / fineTuneBatch,
  schedule: usualSchedules.cosine,
  optimizer: usualOptimizers.adamw,
  weightDecay: 0.01,
  labelSmoothing: 0,
  batchNormMomentum: 0.01,
  averageDecay: 0.998,
  keepBest: true,
  augmentation: fineTuneAugmentation,
});

/** Images of all replicas in a step. */
export const imagesOfStep = ({ batch, replicas }: Pick<Recipe, 'batch' | 'replicas'>): number =>
  batch * replicas;

const recipes: Readonly<Record<string, (batch: number) => Recipe>> = {
  paper,
  'small-data': smallData,
  'fine-tune': fineTune,
};
const defaultBatch: Readonly<Record<string, number>> = {
  paper: 32,
  'small-data': 64,
  'fine-tune': fineTuneBatch,
};

export const recipeNames: readonly string[] = Object.keys(recipes);

/** The recipe of a training that names none. */
export const defaultRecipe = ({ weights }: { readonly weights?: unknown } = {}): string =>
  weights === undefined ? 'paper' : 'fine-tune';

/** An unknown recipe or an invalid option of one. */
export class RecipeError extends UsageError {
  override name = 'RecipeError';
}

/** Overrides of a recipe; augmentation options can be overridden one by one. */
export type RecipeOverrides = Partial<Omit<Recipe, 'name' | 'augmentation' | 'epochs' | 'batch'>> & {
  /** 'auto': until the patience ends the training, at most twice the recipe's. */
  readonly epochs?: number | 'auto' | undefined;
  /** 'auto': a power of two, as much as the memory holds; it is resolved when a run begins, and until then the recipe's own. */
  readonly batch?: number | 'auto' | undefined;
  readonly augmentation?: Partial<Augmentation>;
};

/** With `epochs: 'auto'`, of the recipe's own number: a longer training than usual, where every epoch helps. */
const longest = 2;

/**
 * Epochs without a better one after which there is little hope: a quarter of all, so that the falling learning rate has had its
 * effect, and at least five, because single evaluations of small data scatter.
 */
export const usualPatience = (epochs: number): number => Math.max(5, Math.ceil(epochs / 4));

/** What `epochs` says, in numbers. */
function lengthOf(epochs: number | 'auto' | undefined, base: Recipe): Partial<Recipe> {
  if (epochs !== 'auto') return epochs === undefined ? {} : { epochs };
  const most = longest * base.epochs;
  return { epochs: most, patience: usualPatience(most) };
}

/** A named recipe with overrides. @throws RecipeError listing the recipes, or naming the option and its range. */
export function resolveRecipe(name: string, overrides: RecipeOverrides = {}): Recipe {
  const make = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (!make) throw new RecipeError(`no recipe is called '${name}'; there are ${recipeNames.join(', ')}`);
  const { epochs, batch: asked = 'auto', replicas = 1, ...numbers } = overrides;
  const usualBatch = defaultBatch[name] as number;
  const batch = asked === 'auto' ? usualBatch : asked;
  // Learning rates follow the images of a step, whatever replicas they are divided among.
  const whole = imagesOfStep({ batch, replicas });
  const base = { ...make(whole), batch, replicas };
  const { kind } = numbers.optimizer ?? base.optimizer;
  // Those of different optimisers differ in magnitude.
  const share = ((base.name === 'fine-tune' ? fineTuneShare : 1) * whole) / usualBatch;
  const rate = kind === base.optimizer.kind ? {} : { learningRate: share * typicalLearningRates[kind] };
  const recipe = {
    ...base,
    ...rate,
    // Who waits for something better wants the best.
    ...((numbers.patience != null || epochs === 'auto') && { keepBest: true }),
    ...lengthOf(epochs, base),
    ...numbers,
    augmentation: {
      ...base.augmentation,
      ...withoutColour(numbers.augmentation),
      ...numbers.augmentation,
    },
  };
  check(recipe);
  return recipe;
}

/** TrivialAugment and RandAugment change colours themselves: as in timm, they take the place of the recipe's own distortion. */
const withoutColour = ({ trivialAugment = false, randAugment = null }: Partial<Augmentation> = {}) =>
  trivialAugment || randAugment !== null ? { colour: false } : {};

function check({ name: _, schedule, optimizer, augmentation, ...numbers }: Recipe): void {
  const words = { what: 'recipe option', Failure: RecipeError };
  checkOptions(recipeNumbers, numbers, words);
  checkVariant(schedules, schedule, { ...words, path: 'schedule.' });
  checkVariant(optimizers, optimizer, { ...words, path: 'optimizer.' });
  checkOptions(augmentationOptions, augmentation, { ...words, path: 'augmentation.' });
}

/**
 * Numbers that differ from the recipe's own and do nothing in this training.
 * @throws RecipeError naming the number and what it needs
 */
export function refuseIdleNumbers(
  recipe: Recipe,
  { auxiliary, fromWeights }: { readonly auxiliary: boolean; readonly fromWeights: boolean },
): void {
  const own = resolveRecipe(recipe.name);
  if (recipe.replicas === 1)
    for (const name of ['reduce', 'batchNorm', 'batchNormAverage'] as const)
      if (recipe[name] !== own[name])
        throw new RecipeError(
          `recipe option '${name}': has no effect with one replica; expected more replicas (--replicas), or several processes`,
        );
  if (recipe.batchNorm === 'synchronised' && recipe.batchNormAverage !== own.batchNormAverage)
    throw new RecipeError(
      "recipe option 'batchNormAverage': has no effect with batchNorm 'synchronised', where all replicas have the same statistics",
    );
  if (recipe.freeze !== null && !fromWeights)
    throw new RecipeError(
      "recipe option 'freeze': what is frozen would keep its random initial weights; expected weights to start from as well (--weights)",
    );
  if (recipe.freeze === allParts && recipe.layerDecay !== null)
    throw new RecipeError(
      "recipe option 'layerDecay': has no effect with freeze 'all', which trains the classifier alone; expected one of them",
    );
  if (fromWeights && recipe.residualInit !== own.residualInit)
    throw new RecipeError(
      "recipe option 'residualInit': has no effect with weights to start from, which are trained",
    );
  if (recipe.classWeights === 'balanced' && recipe.sampling === 'balanced')
    throw new RecipeError(
      "recipe options 'classWeights' and 'sampling': both 'balanced' would make up for unequal classes twice; expected one of them",
    );
  if (!auxiliary && recipe.auxiliaryLossWeight !== own.auxiliaryLossWeight)
    throw new RecipeError(
      "recipe option 'auxiliaryLossWeight': has no effect without the network option auxiliary",
    );
  const { area, aspect, trivialAugment, randAugment } = recipe.augmentation;
  if (trivialAugment && randAugment !== null)
    throw new RecipeError(
      "recipe options 'augmentation.trivialAugment' and 'augmentation.randAugment': expected one of them",
    );
  if (isMixing(recipe.augmentation) && recipe.batch === 1)
    throw new RecipeError(
      "recipe options 'augmentation.mixup' and 'augmentation.cutMix': an image is mixed with another one of its batch; expected a batch of at least 2",
    );
  if (area === null && aspect.join() !== own.augmentation.aspect.join())
    throw new RecipeError(
      "recipe option 'augmentation.aspect': has no effect without random crops; expected augmentation.area as well",
    );
}

/** Numbers of residual blocks in a network that has none. @throws RecipeError naming the number */
export function refuseIdleResiduals(recipe: Recipe, network: Network): void {
  if (layersIn(Object.values(network.layers)).some(({ kind }) => kind === 'residual')) return;
  for (const name of ['residualRate', 'residualInit'] as const)
    if (recipe[name] !== unusedNumbers[name])
      throw new RecipeError(
        `recipe option '${name}': has no effect in ${network.name}, which has no residual blocks`,
      );
}

/**
 * The graph with what the recipe freezes.
 * @throws PartError listing the network's parts; RecipeError for an auxiliary head that could train nothing but itself.
 */
export function graphToTrain(graph: Graph, recipe: Pick<Recipe, 'freeze'>): Graph {
  if (recipe.freeze === null) return graph;
  const frozen = freeze(graph, recipe.freeze);
  if (isAuxiliaryIdle(frozen))
    throw new RecipeError(
      `freeze: the auxiliary head reads '${graph.network.auxiliary?.after}', which '${recipe.freeze}' freezes, so that its loss would train nothing but itself; expected no auxiliary head, or an earlier part`,
    );
  return frozen;
}

/** The options of the compiled step; the loop handles the rest. A new option does not compile until one of them uses it. */
export function stepOptionsOf(recipe: Recipe, { processes = 1 }: { readonly processes?: number } = {}) {
  const { name, epochs, learningRate, schedule, averageDecay, batchNormMomentum, ...rest } = recipe;
  const { augmentation, evaluationCrop, sampling, patience, keepBest, residualInit, ...stepOptions } = rest;
  const { batch, optimizer, weightDecay, labelSmoothing, clipNorm, ...others } = stepOptions;
  // What is frozen is a property of the graph: `graphToTrain`.
  const { auxiliaryLossWeight, layerDecay, residualRate, classWeights, freeze: _, ...ofReplicas } = others;
  const { replicas: count, reduce, batchNorm, batchNormAverage: average, ...unapplied } = ofReplicas;
  return {
    batch,
    optimizer,
    weightDecay,
    labelSmoothing,
    auxiliaryLossWeight,
    batchNormMomentum: 'input' as const,
    clipNorm: clipNorm ?? undefined,
    layerDecay: layerDecay ?? undefined,
    residualRate,
    classWeights: classWeights !== 'none',
    mixedLabels: isMixing(augmentation),
    ...(count > 1 || processes > 1 ? { replicas: { count, processes, reduce, batchNorm, average } } : {}),
    ...nothingLeft(unapplied),
  };
}

/** The learning rate of a step, counted from 0. `epochs` may be fractional. */
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

/**
 * TensorFlow's warm-up of a moving average, for a step counted from 0: an average over the last ninth of the steps so far, until
 * the decay is reached. Without it a training shorter than the average's memory would be evaluated by the weights that it began with.
 */
export const averageDecayAt = (step: number, decay: number): number =>
  Math.min(decay, (1 + step) / (10 + step));

/**
 * The same rule for batch normalisation's moving statistics, so that they belong to the averaged weights. Statistics of trained
 * weights are worth keeping: no batch counts for more than a tenth there, as in PyTorch.
 */
export const batchNormMomentumAt = (
  step: number,
  momentum: number,
  { trained = false }: { readonly trained?: boolean } = {},
): number => Math.max(momentum, Math.min(trained ? 0.1 : 1, 1 - averageDecayAt(step, 1)));
