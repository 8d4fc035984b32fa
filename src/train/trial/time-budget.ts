/** From a budget of time to a number of steps and the schedule over them. Pure. */
import { UsageError } from '../../errors.ts';
import { type Recipe, usualPatience } from '../recipe/recipe.ts';

/** What a few steps and images took. */
export interface Timed {
  readonly stepSeconds: number;
  /** Of a whole evaluation. */
  readonly evaluationSeconds: number;
}

interface Pace {
  readonly stepsPerEpoch: number;
  /** Epochs between evaluations. */
  readonly evaluateEvery: number;
}

/** Kept back for checkpoints and for steps that take longer than the timed ones. */
const reserve = 0.05;

/** The largest number of steps that fit, with an evaluation after every so many epochs and at the end; may be 0. */
export function stepsWithin(
  seconds: number,
  { stepSeconds, evaluationSeconds, stepsPerEpoch, evaluateEvery }: Timed & Pace,
): number {
  const period = stepsPerEpoch * evaluateEvery;
  const periodSeconds = period * stepSeconds + evaluationSeconds;
  const periods = Math.max(0, Math.floor(seconds / periodSeconds));
  const rest = seconds - periods * periodSeconds - evaluationSeconds;
  return periods * period + Math.max(0, Math.floor(rest / stepSeconds));
}

/** A budget and what became of it: `config.json` has it as `fitted.time`. */
export interface FittedTime extends Timed {
  readonly seconds: number;
  readonly steps: number;
}

/** What of a budget is left for steps and evaluations. @throws UsageError if it is not enough for one step */
export function fitTime(
  seconds: number,
  { spent, ...timed }: Timed & Pace & { readonly spent: number },
): FittedTime {
  const steps = stepsWithin(seconds * (1 - reserve) - spent, timed);
  const { stepSeconds, evaluationSeconds } = timed;
  const least = (spent + stepSeconds + evaluationSeconds) / (1 - reserve);
  if (steps < 1)
    throw new UsageError(
      `--time ${Math.round(seconds)}s: what comes before and after the steps takes ${spent.toFixed(1)} s, a step takes ${stepSeconds.toFixed(2)} s and an evaluation ${evaluationSeconds.toFixed(1)} s; expected at least ${Math.ceil(least)}s, or smaller images, fewer of them or a narrower network`,
    );
  return { seconds, steps, stepSeconds, evaluationSeconds };
}

/** The recipe with its length and its schedule stretched or shrunk to a number of steps. */
export function fitRecipe(
  recipe: Recipe,
  {
    steps,
    stepsPerEpoch,
    hasOwnPatience,
  }: { readonly steps: number; readonly stepsPerEpoch: number; readonly hasOwnPatience: boolean },
): Recipe {
  const epochs = steps / stepsPerEpoch;
  const { schedule, patience } = recipe;
  return {
    ...recipe,
    epochs,
    patience: patience === null || hasOwnPatience ? patience : usualPatience(epochs),
    // A cosine ends with the last epoch whatever their number is; a staircase has to keep its number of steps.
    schedule:
      schedule.kind === 'staircase'
        ? { ...schedule, every: (schedule.every * epochs) / recipe.epochs }
        : schedule,
  };
}

const rounded = (value: number): number => Number(value.toPrecision(3));

/** In words, what a budget was turned into. */
export function describeTime(
  { seconds, steps, stepSeconds, evaluationSeconds }: FittedTime,
  { before, after }: { readonly before: Recipe; readonly after: Recipe },
): string {
  const stretched =
    after.schedule.kind === 'staircase'
      ? `, a decay every ${rounded(after.schedule.every)} epochs`
      : ', the whole schedule of the learning rate';
  return `time: ${seconds} s, at ${rounded(stepSeconds)} s a step and ${rounded(evaluationSeconds)} s an evaluation: ${steps} steps, ${rounded(after.epochs)} epochs (${rounded(before.epochs)} without --time)${stretched}`;
}
