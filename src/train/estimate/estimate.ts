/** How long a training will take, from its first steps. Pure. */
import type { Configuration } from '../configuration/configuration.ts';
import { imagesOfStep } from '../recipe/recipe.ts';
import type { Progress, Start } from '../run-loop.ts';
import { anHour, type Shorter, shorterTrainings } from './shorter.ts';
import { evaluationsIn, type Plan, trainingMacs, workOf } from './work.ts';

/** An estimate of what remains of a training. */
export interface Estimate {
  /** Of all that remains, evaluations included. */
  readonly seconds: number;
  /** Mean of the timed steps. */
  readonly stepSeconds: number;
  readonly steps: number;
  readonly evaluations: number;
  /** Of a new training of more than an hour whose time was not asked for, what would make it shorter. */
  readonly shorter: readonly Shorter[];
}

/** The first step allocates and chooses kernels. */
const [untimedSteps, timedSteps] = [1, 3];

/** Takes the steps of a training as they end; gives the estimate once, after a few of them, if any remain. */
export function estimator(
  configuration: Configuration,
  { graph, train, validation, test, position, totalSteps }: Omit<Start, 'configuration'>,
): (progress: Pick<Progress, 'step' | 'imagesPerSecond'>) => Estimate | undefined {
  const { recipe, evaluateEvery = 1 } = configuration;
  const images = imagesOfStep(recipe);
  const whole: Plan = {
    graph,
    epochs: recipe.epochs,
    trainingImages: Math.floor(train.length / images) * images,
    evaluatedImages: validation?.length ?? 0,
    testedImages: test?.length ?? 0,
    evaluateEvery,
  };
  let measured = 0;
  return ({ step, imagesPerSecond }) => {
    const count = step - position.step;
    if (count > untimedSteps && count <= untimedSteps + timedSteps) measured += images / imagesPerSecond;
    if (count !== untimedSteps + timedSteps || step === totalSteps) return undefined;
    const stepSeconds = measured / timedSteps;
    const steps = totalSteps - step;
    const plan = { ...whole, epochs: (recipe.epochs * steps) / totalSteps };
    const secondsOf = (plan: Plan) => (workOf(plan) * stepSeconds) / (trainingMacs(plan.graph) * images);
    const seconds = secondsOf(plan);
    return {
      seconds,
      stepSeconds,
      steps,
      evaluations: evaluationsIn(plan),
      // What a resumed run is cannot change any more, and what was fitted into a time takes that time.
      shorter:
        seconds > anHour && position.step === 0 && configuration.fitted?.time === undefined
          ? shorterTrainings(configuration, whole, secondsOf(whole))
          : [],
    };
  };
}
