/** Chooses the strength of regularisation on images that are not learnt from: the validation's, or in turn each fold of the training's. */
import type { Fit, Regression } from './softmax-regression.ts';

/** From strong to weak, half a decade apart: each fit begins at the one before, and strong ones are quick. */
export const strengths: readonly number[] = Array.from({ length: 15 }, (_, at) => 10 ** (2 - at / 2));

/** Strengths without an improvement after which weaker ones are not tried: the loss has one minimum, and weak fits take longest. */
const patience = 3;

/** Largest component of the gradient where strengths are compared: their losses are then known to a thousandth or better. */
const roughTolerance = 1e-3;

/** Which rows are learnt from and which are held out. */
export interface Fold {
  /** Weight of each row; 0 for those held out. */
  readonly weights: ArrayLike<number>;
  readonly heldOut: readonly number[];
}

/** Held-out figures of one strength. */
export interface StrengthResult {
  readonly strength: number;
  /** Weighted mean of the cross-entropy over the rows held out. */
  readonly loss: number;
  /** Fraction of the rows held out that are misclassified, 0–1. */
  readonly error: number;
  readonly iterations: number;
  readonly converged: boolean;
}

export interface ChosenStrength {
  readonly best: StrengthResult;
  /** All that were tried, from strong to weak. */
  readonly tried: readonly StrengthResult[];
  /** The fit of the best strength for each fold. */
  readonly fits: readonly Fit[];
}

/**
 * Takes the strength with the smallest held-out cross-entropy. It varies less than the error, which on seventy images changes
 * in steps of more than a percent, and tells an unsure classifier from one that is sure and wrong.
 * @param rowWeights weight of each row in the held-out loss.
 */
export async function chooseStrength(
  regression: Regression,
  {
    folds,
    rowWeights,
    onTried,
  }: {
    readonly folds: readonly Fold[];
    readonly rowWeights: ArrayLike<number>;
    /** Called after each strength. */
    readonly onTried?: ((result: StrengthResult) => void) | undefined;
  },
): Promise<ChosenStrength> {
  const tried: StrengthResult[] = [];
  let starts: readonly (Fit | undefined)[] = folds.map(() => undefined);
  let chosen: { best: StrengthResult; fits: readonly Fit[] } | undefined;
  for (const strength of strengths) {
    const fits: Fit[] = [];
    for (const [index, { weights }] of folds.entries())
      fits.push(await regression.fit({ weights, strength, start: starts[index], tolerance: roughTolerance }));
    starts = fits;
    const result = { strength, ...heldOutFigures(fits, { regression, folds, rowWeights }) };
    tried.push(result);
    onTried?.(result);
    if (!chosen || result.loss < chosen.best.loss) chosen = { best: result, fits };
    if (tried.length - 1 - tried.indexOf(chosen.best) >= patience) break;
  }
  if (!chosen) throw new Error('there is at least one strength');
  return { ...chosen, tried };
}

/** Loss and error over the rows that each fit did not learn from. */
export function heldOutFigures(
  fits: readonly Fit[],
  {
    regression,
    folds,
    rowWeights,
  }: { regression: Regression; folds: readonly Fold[]; rowWeights: ArrayLike<number> },
): Omit<StrengthResult, 'strength'> {
  let [loss, weight, wrong, rows] = [0, 0, 0, 0];
  for (const [index, { losses, predicted }] of fits.entries())
    for (const row of folds[index]?.heldOut ?? []) {
      const rowWeight = rowWeights[row] as number;
      loss += rowWeight * (losses[row] as number);
      weight += rowWeight;
      wrong += predicted[row] === regression.data.labels[row] ? 0 : 1;
      rows++;
    }
  return {
    loss: loss / weight,
    error: wrong / rows,
    iterations: fits.reduce((sum, { iterations }) => sum + iterations, 0),
    converged: fits.every(({ converged }) => converged),
  };
}

/**
 * Deals the rows of each class out to folds in order, so that every fold has its share of every class. Rows of the same group, as
 * copies of one image, are in one fold.
 */
export function foldsOf(
  labels: readonly number[],
  {
    count,
    rowWeights,
    groups = [],
  }: {
    readonly count: number;
    readonly rowWeights: ArrayLike<number>;
    readonly groups?: readonly (readonly number[])[];
  },
): readonly Fold[] {
  const firstOf = new Map(groups.flatMap((group) => group.map((row) => [row, group[0] as number] as const)));
  const seen = new Map<number, number>();
  const foldOf: number[] = [];
  for (const [row, label] of labels.entries()) {
    const first = firstOf.get(row) ?? row;
    const before = seen.get(label) ?? 0;
    // A group's first row is dealt out before the others.
    if (first === row) seen.set(label, before + 1);
    foldOf.push(first === row ? before % count : (foldOf[first] as number));
  }
  return Array.from({ length: count }, (_, fold) => ({
    weights: foldOf.map((each, row) => (each === fold ? 0 : (rowWeights[row] as number))),
    heldOut: foldOf.flatMap((each, row) => (each === fold ? [row] : [])),
  })).filter(({ heldOut }) => heldOut.length > 0);
}
