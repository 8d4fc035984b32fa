/** Trainings that cannot go on, and what to do: every advice can be followed as it is printed. */
import type { Graph } from '../graph/graph.ts';
import type { Measured } from './metrics-window.ts';
import type { Recipe } from './recipe/recipe.ts';
import { TrainingError } from './training-error.ts';

/** Number of consecutive steps with all features zero after which a network counts as dead. */
export const maxDeadSteps = 20;

export interface Where {
  readonly step: number;
  /** Of this step. */
  readonly learningRate: number;
  readonly recipe: Pick<Recipe, 'learningRate'>;
  readonly graph: Pick<Graph, 'nodes'>;
  /** The run folder. */
  readonly folder: string;
}

const hasResiduals = ({ nodes }: Where['graph']): boolean => nodes.some(({ op }) => op === 'scaledAdd');

/** @throws TrainingError if the loss or the gradient is not a finite number */
export function refuseNonFinite(
  { loss, gradientNorm }: Pick<Measured, 'loss' | 'gradientNorm'>,
  { step, learningRate, recipe, graph, folder }: Where,
): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const what = Number.isFinite(loss) ? `gradient's norm is ${gradientNorm}` : `loss is ${loss}`;
  const lower = Number((recipe.learningRate / 10).toPrecision(2));
  const scale = hasResiduals(graph) ? ' or a smaller --residual-scale such as 0.1' : '';
  throw new TrainingError(
    `step ${step}: the ${what} at learning rate ${learningRate.toPrecision(3)}. 'inception train --resume --out ${folder} --learning-rate ${lower}' continues from the last checkpoint at a lower rate; a new run can also take --clip-norm 1${scale}`,
  );
}

export const deathNotice = ({ step, graph }: Pick<Where, 'step' | 'graph'>): string =>
  `step ${step}: the network has died: for ${maxDeadSteps} steps every feature before the classifier was zero. ${hasResiduals(graph) ? 'The paper saw this in residual networks with more than 1000 filters: scale the residuals down in a new run (--residual-scale 0.1 to 0.3); lower learning rates did not help there' : 'Start a new run with a lower --learning-rate or --clip-norm 1'}`;

/** What mends an error of the file system, as the end of 'after step 20: …; '. */
const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'make space, and then',
  EDQUOT: 'the quota is used up: make space, and then',
  EFBIG: 'a limit on the size of files was reached: raise it, and then',
  EROFS: 'the file system has become read-only: make it writable, and then',
  EIO: 'the disk does not answer as it should: copy the run folder to another one, and there',
  ESTALE: 'the network file system is gone: mount it again, and then',
  EACCES: 'make it accessible to this user, and then',
  EPERM: 'make it accessible to this user, and then',
  EMFILE: 'too many files are open: raise the limit (ulimit -n), and then',
};

/** An error of the file system with the step and what to do; any other as it is. The files written before are whole. */
export function explainSystemError(
  error: unknown,
  { step, folder }: Pick<Where, 'step' | 'folder'>,
): unknown {
  if (!(error instanceof Error)) return error;
  const { syscall, code = '' } = error as NodeJS.ErrnoException;
  if (typeof syscall !== 'string') return error;
  const remedy = remedies[code] ?? 'when that is mended,';
  return new TrainingError(
    `after step ${step}: ${error.message}; ${remedy} 'inception train --resume --out ${folder}' continues from the last checkpoint`,
    { cause: error },
  );
}
