/**
 * The numbers of a training recipe, each declared once: type, validation, file format, flag and help follow. Values are in
 * `recipe.ts`: a number added here does not compile until every recipe has it.
 */
import { typicalLearningRates } from '../../compile/optimizers/optimizers.ts';
import { stepNumbers } from '../../compile/step-numbers.ts';
import {
  booleanOption,
  choiceOption,
  nameOrOffOption,
  numberOption,
  numberOrAutoOption,
  numberOrOffOption,
  type OptionValues,
  type Variant,
} from '../../option.ts';
import { classWeightsOption } from './class-weights.ts';

const { batch, weightDecay, labelSmoothing, auxiliaryLossWeight, batchNormMomentum, clipNorm } = stepNumbers;
const { layerDecay, residualRate } = stepNumbers;

export const recipeNumbers = {
  epochs: numberOption({
    above: 0,
    atMost: 1_000_000,
    flag: '--epochs <n>',
    about: 'number of epochs; fractions are allowed',
    label: 'Epochs',
  }),
  /** Images of one replica in a step. */
  batch,
  replicas: numberOption({
    whole: true,
    atLeast: 1,
    atMost: 4096,
    flag: '--replicas <n>',
    about:
      'batches of a step, each with statistics and dropout of its own, whose gradients are averaged (the paper: 20); of several processes, as many as they are; scales the default learning rate',
    label: 'Replicas',
  }),
  /** What travels between processes. */
  reduce: choiceOption({
    choices: ['float32', 'bfloat16'],
    flag: '--reduce <float32|bfloat16>',
    about: 'type of the gradients that replicas add up; bfloat16 halves what travels between processes',
    label: 'Reduce',
  }),
  /** Whose mean and variance a batch normalisation uses in a step. */
  batchNorm: choiceOption({
    choices: ['own', 'synchronised'],
    flag: '--batch-norm <own|synchronised>',
    about:
      "statistics of a step; 'own': each replica's own, as in the paper; 'synchronised': of the images of all replicas",
    label: 'Batch normalisation',
  }),
  /** What becomes of the replicas' moving statistics. */
  batchNormAverage: choiceOption({
    choices: ['reduce', 'broadcast', 'none'],
    flag: '--batch-norm-average <reduce|broadcast|none>',
    about:
      "moving statistics; 'reduce': the mean of all replicas'; 'broadcast': those of the first process; 'none': each process keeps its own, and the first one's are saved",
    label: 'Moving statistics of replicas',
  }),
  /** Initial rate, after any warm-up. */
  learningRate: numberOption({
    above: 0,
    flag: '--learning-rate <rate>',
    about: `initial learning rate, after any warm-up (sgd: ${typicalLearningRates.sgd}, adamw: ${typicalLearningRates.adamw})`,
    label: 'Learning rate',
  }),
  weightDecay,
  labelSmoothing,
  auxiliaryLossWeight,
  batchNormMomentum,
  /** Decay of the moving average of the weights; in step t at most (1 + t) / (10 + t), so that short runs benefit. */
  averageDecay: numberOption({
    atLeast: 0,
    below: 1,
    flag: '--average-decay <factor>',
    about: 'decay of the moving average of the weights; in step t at most (1 + t) / (10 + t)',
    label: 'Average decay',
  }),
  clipNorm,
  /** Everything up to and including this part of the network keeps its weights; null: everything is trained. */
  freeze: nameOrOffOption({
    expected: "the name of a part ('stem', 'inceptionA/2', 'reductionB', …) or 'all'",
    flag: '--freeze <part>',
    about:
      "keep everything up to and including this part as it is; 'all': everything but the classifier; 'off' to disable",
    label: 'Freeze',
  }),
  layerDecay,
  residualRate,
  /** Of the initial values of the last convolution of each residual block. */
  residualInit: numberOption({
    above: 0,
    atMost: 1,
    flag: '--residual-init <factor>',
    about: 'factor of the initial values of the last convolution of each residual block',
    label: 'Initial residuals',
  }),
  /** How much each class counts in the loss; 'balanced' is images / (classes · images of the class), as scikit-learn's. */
  classWeights: classWeightsOption({
    flag: '--class-weights <none|balanced|file>',
    about:
      "how much each class counts in the loss; 'balanced': inversely to its number of images; a file: labels and weights as CSV or JSON",
    label: 'Class weights',
  }),
  /** Which images an epoch has: each once, or as many images as there are with each class drawn equally often. */
  sampling: choiceOption({
    choices: ['shuffle', 'balanced'],
    flag: '--sampling <shuffle|balanced>',
    about: "images of an epoch; 'shuffle': each once; 'balanced': as many, each class equally often",
    label: 'Sampling',
  }),
  /** The training ends when no evaluation has been better for so many epochs; null: never before its last epoch. */
  patience: numberOrOffOption({
    above: 0,
    atMost: 1_000_000,
    flag: '--patience <epochs>',
    about: 'end after this many epochs without a better evaluation; implies --keep-best',
    label: 'Patience (epochs)',
    step: 1,
  }),
  /** Whether the model is the best evaluation's averages instead of the last one's. */
  keepBest: booleanOption({
    flag: '--[no-]keep-best',
    about: "the model is the best evaluation's averages instead of the last one's",
    label: 'Keep the best',
  }),
  /** Fraction of each side that the evaluation's central crop keeps. */
  evaluationCrop: numberOption({
    above: 0,
    atMost: 1,
    flag: '--evaluation-crop <fraction>',
    about: 'fraction of each side kept by the central crop in evaluation',
    label: 'Evaluation crop',
  }),
};

const auto = 'auto' as const;

/** As a caller gives them: `auto` is resolved before a run begins, and its file has the number. */
export const requestedNumbers = {
  ...recipeNumbers,
  epochs: numberOrAutoOption(recipeNumbers.epochs, {
    flag: '--epochs <n>',
    about: `number of epochs; fractions are allowed; '${auto}': until --patience ends it, at most twice the recipe's`,
  }),
  batch: numberOrAutoOption(recipeNumbers.batch, {
    flag: '--batch <n>',
    about: `images of each replica in a step; scales the default learning rate; '${auto}': as many as the memory holds, up to 256`,
  }),
};

export type RecipeNumbers = OptionValues<typeof recipeNumbers>;

/** What recipes do not use, and those written before there was such a number did not have. */
export const unusedNumbers = {
  replicas: 1,
  reduce: 'float32',
  batchNorm: 'own',
  batchNormAverage: 'reduce',
  freeze: null,
  layerDecay: null,
  residualRate: 1,
  residualInit: 1,
  classWeights: 'none',
  sampling: 'shuffle',
  patience: null,
  keepBest: false,
} as const satisfies Partial<RecipeNumbers>;

/** Learning rate schedules; see `learningRateAt`. */
export const schedules = {
  /** rate · factor ^ floor(epoch / every) */
  staircase: {
    factor: numberOption({
      above: 0,
      atMost: 1,
      flag: '--decay-factor <factor>',
      about: 'factor of each step of the staircase schedule',
      label: 'Decay factor',
    }),
    every: numberOption({
      above: 0,
      atMost: 1_000_000,
      flag: '--decay-every <epochs>',
      about: 'epochs between the steps of the staircase schedule',
      label: 'Decay every (epochs)',
    }),
  },
  /** Half a cosine from the initial rate to zero, after a linear warm-up. */
  cosine: {
    warmup: numberOption({
      atLeast: 0,
      atMost: 1_000_000,
      flag: '--warmup <epochs>',
      about: 'linear warm-up of the cosine schedule, in epochs',
      label: 'Warm-up (epochs)',
    }),
  },
};

export type Schedule = Variant<typeof schedules>;

/** Default values of a schedule that is not the recipe's. */
export const usualSchedules: { readonly [K in Schedule['kind']]: Extract<Schedule, { kind: K }> } = {
  staircase: { kind: 'staircase', factor: 0.94, every: 2 },
  cosine: { kind: 'cosine', warmup: 1 },
};
