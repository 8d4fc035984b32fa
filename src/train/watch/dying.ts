/**
 * A network that is dying, told before its features are all zero: nearly all are, and the loss is that of guessing. Either alone means
 * little: features of a wide network that learns are sparse, and every loss begins as guessing does. docs/training.md has what was seen. Pure.
 */
import type { DataSummary } from '../../data/data-report.ts';
import { maxDeadSteps, type Where } from '../failures.ts';
import type { BlockState, StepMetrics } from '../run/records.ts';

/** Of the features, above which few enough are left. */
const dyingShare = 0.95;
/** Of the loss of guessing: a loss that is not below this part of it has learnt nothing. */
const learntNothing = 0.95;

/** The cross-entropy of who knows how often each class comes and nothing else; of equal classes where nobody has counted them. */
export function guessingLoss({ perClass }: Pick<DataSummary, 'perClass'>, classes: number): number {
  const images = perClass.reduce((sum, [, count]) => sum + count, 0);
  if (images === 0) return Math.log(classes);
  return perClass.reduce(
    (sum, [, count]) => sum - (count === 0 ? 0 : (count / images) * Math.log(count / images)),
    0,
  );
}

/** Whether the steps of a line look like those of a dying network. */
export const isDying = (
  { zeroShare, loss }: Pick<StepMetrics, 'zeroShare' | 'loss'>,
  guessing: number,
): boolean => zeroShare >= dyingShare && loss >= learntNothing * guessing;

/** Steps in a row after which it is said. */
export const mostDyingSteps = maxDeadSteps;

export function dyingNotice(
  { step, zeroShare, loss }: Pick<StepMetrics, 'step' | 'zeroShare' | 'loss'>,
  {
    guessing,
    blocks = [],
    graph,
  }: {
    readonly guessing: number;
    /** At the last evaluation. */
    readonly blocks?: readonly BlockState[] | undefined;
    readonly graph: Where['graph'];
  },
): string {
  const [largest] = blocks
    .flatMap(({ block, residualRatio }) => (residualRatio === null ? [] : [{ block, residualRatio }]))
    .sort((a, b) => b.residualRatio - a.residualRatio);
  const residual = largest
    ? `; the residual of ${largest.block} had ${largest.residualRatio.toFixed(1)} times the norm of its shortcut at the last evaluation`
    : '';
  const remedy = graph.nodes.some(({ op }) => op === 'scaledAdd')
    ? 'a new run with smaller residuals (--residual-scale 0.1 to 0.3) or a lower --learning-rate'
    : 'a new run with a lower --learning-rate or --clip-norm 1';
  return `step ${step}: the network is dying: ${(100 * zeroShare).toFixed(1)}% of the features before the classifier are zero and the loss, ${loss.toFixed(2)}, is that of guessing (${guessing.toFixed(2)})${residual}. It may recover, slowly; ${remedy} is what helps`;
}
