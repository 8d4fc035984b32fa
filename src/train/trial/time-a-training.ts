/** Times the first steps and a part of an evaluation, so that a training fits into a budget of time. */
import type { Dataset } from '../../data/dataset.ts';
import { subset } from '../../data/selection.ts';
import type { Engine } from '../../engine/engine.ts';
import { predictions } from '../../evaluate/score.ts';
import type { Configuration } from '../configuration/configuration.ts';
import type { RunToOpen } from '../open-run.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { describeTime, type FittedTime, fitRecipe, fitTime } from './time-budget.ts';
import { onTrial, type Trial } from './trial.ts';

/** The first step allocates and chooses kernels. */
const [untimedSteps, timedSteps] = [1, 3];
/** Of an evaluation, at most; the first batch is not timed. */
const timedBatches = 2;

async function timeSteps({ next }: Trial, learningRate: number): Promise<number> {
  for (let step = 0; step < untimedSteps; step++) await next(learningRate);
  let seconds = 0;
  for (let step = 0; step < timedSteps; step++) seconds += (await next(learningRate)).seconds;
  return seconds / timedSteps;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** Seconds of an evaluation on each of the splits; 0 for one that there is not. */
async function timeEvaluations(
  { splits: { validation, test }, predictor }: Trial,
  { preprocessing }: Configuration,
): Promise<{ readonly evaluationSeconds: number; readonly testSeconds: number }> {
  const measured = validation ?? test;
  if (!measured) return { evaluationSeconds: 0, testSeconds: 0 };
  const evaluate = (images: number) =>
    predictions(subset(measured, images), {
      members: [{ predictor, preprocessing }],
      views: { crops: 1 },
      onBroken: () => undefined,
    });
  const images = Math.min(measured.length, timedBatches * predictor.batch);
  const refreshed = await secondsOf(() => predictor.refresh());
  await evaluate(Math.min(measured.length, predictor.batch));
  const perImage = (await secondsOf(() => evaluate(images))) / Math.max(1, images);
  const secondsFor = (dataset: Dataset | undefined) => (dataset ? refreshed + perImage * dataset.length : 0);
  return { evaluationSeconds: secondsFor(validation), testSeconds: secondsFor(test) };
}

/**
 * The recipe of a training that ends within a budget, and what to say of it. `began` is when the budget did, in
 * milliseconds of `performance.now()`.
 * @throws UsageError if not even a step fits
 */
export async function fitToTime(
  options: RunToOpen & { readonly engine: Engine },
  { seconds, began, hasOwnPatience }: { seconds: number; began: number; hasOwnPatience: boolean },
): Promise<{ recipe: Recipe; time: FittedTime; decision: string }> {
  const { configuration } = options;
  const { recipe, evaluateEvery = 1 } = configuration;
  const opening = performance.now();
  return onTrial(options, async (trial) => {
    // The training opens everything once more.
    const openSeconds = (performance.now() - opening) / 1000;
    // A rate at which nothing can go wrong.
    const stepSeconds = await timeSteps(trial, Number.MIN_VALUE);
    const { evaluationSeconds, testSeconds } = await timeEvaluations(trial, configuration);
    const spent = (performance.now() - began) / 1000 + openSeconds + testSeconds;
    const { stepsPerEpoch } = trial;
    const time = fitTime(seconds, { spent, stepSeconds, evaluationSeconds, stepsPerEpoch, evaluateEvery });
    const fitted = fitRecipe(recipe, { steps: time.steps, stepsPerEpoch, hasOwnPatience });
    return { recipe: fitted, time, decision: describeTime(time, { before: recipe, after: fitted }) };
  });
}
