/** An evaluation that is worse than guessing although the training goes well: that is said, with its cause. */

export interface Losses {
  readonly validationLoss: number;
  /** Of the last line of metrics; undefined before there is one. */
  readonly trainLoss: number | undefined;
  readonly classes: number;
}

/** Whether the validation loss is above that of equal probabilities, ln(classes), and the training loss far below it. */
export const isWorseThanGuessing = ({ validationLoss, trainLoss, classes }: Losses): boolean =>
  validationLoss > Math.log(classes) && trainLoss !== undefined && trainLoss < Math.log(classes) / 2;

/**
 * The cause, told by the loss of the evaluated network on training images: if it fails there too, it is not the network that was
 * trained; if it does not, the images differ.
 */
export function explainGap(
  { validationLoss, trainLoss = Number.NaN, classes }: Losses,
  { loss, images }: { readonly loss: number; readonly images: number },
): string {
  const guessing = Math.log(classes);
  const found = `the validation loss ${validationLoss.toFixed(2)} is above that of guessing (ln ${classes} = ${guessing.toFixed(2)}), and the training loss is ${trainLoss.toFixed(2)}`;
  return loss > (trainLoss + guessing) / 2
    ? `${found}. On ${images} training images the evaluated network has a loss of ${loss.toFixed(2)}: its averaged weights and statistics lag behind the trained ones. A lower --average-decay and a higher --batch-norm-momentum shorten their memory, and larger batches give steadier statistics`
    : `${found}. On ${images} training images the evaluated network has a loss of ${loss.toFixed(2)}: the validation images differ from the training images, in their labels or in what they show, or there are too few training images`;
}
