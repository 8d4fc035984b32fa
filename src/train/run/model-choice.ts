/** Which evaluation's averages become the model of a run, and when there is no better one to wait for. Pure. */
import type { EvaluationMetrics, Metrics } from './records.ts';

/** What two evaluations are compared by. */
export type Judged = Pick<EvaluationMetrics, 'top1Error' | 'validationLoss'>;

/** A lower error; with equal errors a lower loss; with both equal the earlier one stays. */
export const isBetter = (later: Judged, earlier: Judged): boolean =>
  later.top1Error < earlier.top1Error ||
  (later.top1Error === earlier.top1Error && later.validationLoss < earlier.validationLoss);

export const evaluationsOf = (metrics: readonly Metrics[]): EvaluationMetrics[] =>
  metrics.filter((line): line is EvaluationMetrics => line.kind === 'evaluation');

/** The best of the evaluations, which are in their order; undefined if there are none. */
export function bestOf(evaluations: readonly EvaluationMetrics[]): EvaluationMetrics | undefined {
  let [best] = evaluations;
  for (const evaluation of evaluations) if (best && isBetter(evaluation, best)) best = evaluation;
  return best;
}

/** The evaluation whose averages the model holds: the last one that was chosen, or the last one where nothing is chosen. */
export const modelOf = (
  metrics: readonly Metrics[],
  { keepBest }: { readonly keepBest: boolean },
): EvaluationMetrics | undefined =>
  evaluationsOf(metrics).findLast(({ chosen }) => chosen === true || !keepBest);

/** Whether the last evaluation is `patience` epochs after the best one, or more. */
export function isOutOfPatience(evaluations: readonly EvaluationMetrics[], patience: number | null): boolean {
  const [last, best] = [evaluations.at(-1), bestOf(evaluations)];
  if (patience === null || !last || !best) return false;
  // Epochs are quotients of steps: a rounded last digit must not cost an epoch.
  return last.epoch - best.epoch >= patience - 1e-9;
}
