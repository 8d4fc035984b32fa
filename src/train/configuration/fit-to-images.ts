/** A recipe fitted to the number of training images, with what is decided in the user's place, and what is left out. Pure. */
import { defaultRecipe, imagesOfStep, type Recipe } from '../recipe/recipe.ts';

export interface Fitted {
  readonly recipe: Recipe;
  /** Epochs between evaluations, where they are decided here. */
  readonly evaluateEvery?: number;
  /** Sentences for the start of the training and its config.json. */
  readonly decisions: readonly string[];
}

interface Situation {
  /** Training images. */
  readonly images: number;
  readonly fromWeights: boolean;
  /** The recipe with another batch, whose learning rate follows; undefined if the batch was asked for. */
  readonly ofBatch: ((batch: number) => Recipe) | undefined;
  /** Whether the number of epochs is the recipe's, and not asked for. */
  readonly isEpochsOpen: boolean;
  /** Whether there are evaluations, and nobody has said how often. */
  readonly isPaceOpen: boolean;
}

/** Of a fine-tuning, whose work is counted in steps where images are few, as in BiT-HyperRule (arXiv 1912.11370). */
const fewestSteps = 200;

/** Of many short epochs, where each evaluation and its checkpoint would cost more than the epoch. */
const mostEvaluations = 20;

/** Recipes for many images; the paper's was made for ImageNet's 1,281,167. */
const fewForPaper = 10_000;

/**
 * Fewer images than one batch of the recipe are one batch, unless the batch was asked for: that is refused when the data are
 * opened.
 */
export function fitToImages(
  recipe: Recipe,
  { images, fromWeights, ofBatch, isEpochsOpen, isPaceOpen }: Situation,
): Fitted {
  const { replicas } = recipe;
  const isTooLarge = ofBatch && images >= replicas && images < imagesOfStep(recipe);
  const fitted = isTooLarge ? ofBatch(Math.floor(images / replicas)) : recipe;
  const { batch, learningRate } = fitted;
  const whole = imagesOfStep(fitted);
  const rest = images % whole;
  const enough = Math.ceil(fewestSteps / Math.max(1, Math.floor(images / whole)));
  const epochs =
    isEpochsOpen && recipe.name === defaultRecipe({ weights: true })
      ? Math.max(recipe.epochs, enough)
      : recipe.epochs;
  const evaluateEvery = isPaceOpen && epochs > recipe.epochs ? Math.ceil(epochs / mostEvaluations) : 1;
  return {
    recipe: { ...fitted, epochs },
    ...(evaluateEvery > 1 && { evaluateEvery }),
    decisions: [
      ...(epochs === recipe.epochs
        ? []
        : [
            `${epochs} epochs instead of ${recipe.epochs}, for at least ${fewestSteps} steps with ${images} training images${evaluateEvery > 1 ? `; evaluations every ${evaluateEvery} epochs` : ''}`,
          ]),
      ...(fitted === recipe
        ? []
        : [
            `${replicas === 1 ? `batch of ${batch}, which are all training images,` : `batch of ${batch} for each of ${replicas} replicas, which take all ${images} training images,`} instead of ${recipe.batch}; learning rate ${+learningRate.toPrecision(3)} with it`,
          ]),
      ...(rest > 0 && images > whole && recipe.sampling === 'shuffle'
        ? [
            `${rest} of ${images} training images ${rest === 1 ? 'does' : 'do'} not fill ${replicas === 1 ? `a batch of ${batch}` : `${replicas} batches of ${batch}`}: each epoch leaves out as many, chosen at random`,
          ]
        : []),
      ...(recipe.name === 'paper' && !fromWeights && images < fewForPaper ? [adviceForFew(images)] : []),
    ],
  };
}

/** What else there is, for a training that would learn little. */
const adviceForFew = (images: number): string =>
  `${images.toLocaleString('en-US')} images are few for recipe paper and random weights, which were made for ImageNet's 1.28 million: --weights MODEL starts from trained weights, and --recipe small-data is for less`;
