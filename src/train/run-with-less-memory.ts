/** A training that goes on with half its batch where the memory ends in its first steps. */
import { OutOfMemoryError } from '../engine/engine.ts';
import type { Configuration } from './configuration/configuration.ts';
import { type LoopOptions, runLoop, type TrainResult } from './run-loop.ts';

/** Later the memory of a program no longer grows: what is missing then was taken by others. */
const firstSteps = 3;

/** Batch normalisation needs two images. */
const smallestBatch = 2;

/**
 * The configuration with half the batch; the learning rate is proportional to it, as in the recipes.
 * @throws the error, if it is another than that the memory ended, or if the batch cannot be halved
 */
export function halved(configuration: Configuration, error: unknown): Configuration {
  const { recipe, fitted: { time, ...fitted } = {}, decisions = [] } = configuration;
  if (!(error instanceof OutOfMemoryError) || recipe.batch < 2 * smallestBatch) throw error;
  const reason = firstLine(error);
  const batch = Math.floor(recipe.batch / 2);
  const learningRate = recipe.learningRate * (batch / recipe.batch);
  return {
    ...configuration,
    recipe: { ...recipe, batch, learningRate },
    // Steps and their times were those of the larger batch.
    fitted: { ...fitted, batch: { asked: fitted.batch?.asked ?? recipe.batch, taken: batch, reason } },
    decisions: [
      ...decisions,
      describeHalving(recipe, { batch, learningRate }),
      ...(time
        ? [
            `${recipe.epochs} epochs were fitted to ${Math.round(time.seconds)} s with the larger batch, and may take longer with the smaller one`,
          ]
        : []),
    ],
  };
}

interface Pace {
  readonly batch: number;
  readonly learningRate: number;
}

const describeHalving = (before: Pace, after: Pace): string =>
  `out of memory: batch of ${after.batch} instead of ${before.batch}, and learning rate ${Number(after.learningRate.toPrecision(3))} instead of ${Number(before.learningRate.toPrecision(3))}`;

/** @throws OutOfMemoryError if it is not in the first steps, or the smallest batch does not fit either; the errors of `runLoop` */
export async function runWithLessMemory(options: LoopOptions): Promise<TrainResult> {
  const { folder } = options;
  let { configuration } = options;
  let isReady = false;
  for (;;) {
    let steps = 0;
    // What was made ready before a failure is gone on with.
    const resume = options.resume || isReady;
    try {
      return await runLoop({
        ...options,
        configuration,
        resume,
        onReady: async (ready) => {
          if (!isReady) await options.onReady?.(ready);
          isReady = true;
        },
        onStep: (progress) => {
          steps++;
          options.onStep?.(progress);
        },
      });
    } catch (error) {
      if (!(error instanceof OutOfMemoryError && steps < firstSteps)) throw error;
      // A saved step is a step with the former batch: its position in the epoch means other images.
      if ((await folder.checkpoints()).some((step) => step > 0)) throw error;
      // Once ready, the folder has it, with the changes of a resumed run.
      configuration = halved(isReady ? await folder.configuration() : configuration, error);
      options.onWarning?.(`${firstLine(error)}; a batch of ${configuration.recipe.batch} is tried`);
      if (isReady) await folder.write(configuration);
    }
  }
}

/** Without the shapes of the arguments, which say nothing more here. */
const firstLine = ({ message }: Error): string =>
  (message.split('\n')[0] ?? '').replace(/; arguments.*$/, '');
