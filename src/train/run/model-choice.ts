/** Which evaluation's averages become the model of a run, and when there is no better one to wait for. Pure. */
import type { Recipe } from '../recipe/recipe.ts';
import type { EvaluationMetrics, Metrics } from './records.ts';

/** What two evaluations are compared by. */
export type Judged = Pick<EvaluationMetrics, 'top1Error' | 'balancedAccuracy' | 'validationLoss'>;

/** What a lower number of makes an evaluation better. */
export const criteria = ['top1Error', 'balancedAccuracy'] as const;
export type Criterion = (typeof criteria)[number];

/** Who asks for classes that count alike wants the epoch at which they do: by the error, a rare class that is never predicted is no loss. */
export const criterionOf = ({
  classWeights,
  sampling,
}: Pick<Recipe, 'classWeights' | 'sampling'>): Criterion =>
  classWeights === 'balanced' || sampling === 'balanced' ? 'balancedAccuracy' : 'top1Error';

const errorBy: { readonly [K in Criterion]: (judged: Judged) => number } = {
  top1Error: ({ top1Error }) => top1Error,
  balancedAccuracy: ({ balancedAccuracy, top1Error }) =>
    balancedAccuracy === undefined ? top1Error : 1 - balancedAccuracy,
};

/** A lower error by the criterion; with equal errors a lower loss; with both equal the earlier one stays. */
export function isBetter(later: Judged, earlier: Judged, criterion: Criterion = 'top1Error'): boolean {
  const difference = errorBy[criterion](later) - errorBy[criterion](earlier);
  return difference < 0 || (difference === 0 && later.validationLoss < earlier.validationLoss);
}

export const evaluationsOf = (metrics: readonly Metrics[]): EvaluationMetrics[] =>
  metrics.filter((line): line is EvaluationMetrics => line.kind === 'evaluation');

/** The best of the evaluations, which are in their order; undefined if there are none. */
export function bestOf(
  evaluations: readonly EvaluationMetrics[],
  criterion?: Criterion,
): EvaluationMetrics | undefined {
  let [best] = evaluations;
  for (const evaluation of evaluations) if (best && isBetter(evaluation, best, criterion)) best = evaluation;
  return best;
}

/** The evaluation whose averages the model holds: the last one that was chosen, or the last one where nothing is chosen. */
export const modelOf = (
  metrics: readonly Metrics[],
  { keepBest }: { readonly keepBest: boolean },
): EvaluationMetrics | undefined =>
  evaluationsOf(metrics).findLast(({ chosen }) => chosen === true || !keepBest);

/** Whether the last evaluation is `patience` epochs after the best one, or more. */
export function isOutOfPatience(
  evaluations: readonly EvaluationMetrics[],
  { patience, criterion }: { readonly patience: number | null; readonly criterion?: Criterion | undefined },
): boolean {
  const [last, best] = [evaluations.at(-1), bestOf(evaluations, criterion)];
  if (patience === null || !last || !best) return false;
  // Epochs are quotients of steps: a rounded last digit must not cost an epoch.
  return last.epoch - best.epoch >= patience - 1e-9;
}
