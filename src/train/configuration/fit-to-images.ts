/** A recipe fitted to the number of training images, with what is decided in the user's place, and what is left out. Pure. */
import type { Recipe } from '../recipe/recipe.ts';

export interface Fitted {
  readonly recipe: Recipe;
  /** Sentences for the start of the training and its config.json. */
  readonly decisions: readonly string[];
}

/** Recipes for many images; the paper's was made for ImageNet's 1,281,167. */
const fewForPaper = 10_000;

/**
 * Fewer images than one batch of the recipe are one batch, unless the batch was asked for: that is refused when the data are
 * opened.
 * @param ofBatch the recipe with another batch, whose learning rate follows
 */
export function fitToImages(
  recipe: Recipe,
  {
    images,
    fromWeights,
    ofBatch,
  }: { images: number; fromWeights: boolean; ofBatch: ((batch: number) => Recipe) | undefined },
): Fitted {
  const fitted = ofBatch && images < recipe.batch ? ofBatch(images) : recipe;
  const { batch, learningRate } = fitted;
  const rest = images % batch;
  return {
    recipe: fitted,
    decisions: [
      ...(fitted === recipe
        ? []
        : [
            `batch of ${batch}, which are all training images, instead of ${recipe.batch}; learning rate ${+learningRate.toPrecision(3)} with it`,
          ]),
      ...(rest > 0 && images > batch && recipe.sampling === 'shuffle'
        ? [
            `${rest} of ${images} training images do not fill a batch of ${batch}: each epoch leaves out as many, chosen at random`,
          ]
        : []),
      ...(recipe.name === 'paper' && !fromWeights && images < fewForPaper ? [adviceForFew(images)] : []),
    ],
  };
}

/** What else there is, for a training that would learn little. */
const adviceForFew = (images: number): string =>
  `${images.toLocaleString('en-US')} images are few for recipe paper and random weights, which were made for ImageNet's 1.28 million: --weights MODEL starts from trained weights, and --recipe small-data is for less`;
