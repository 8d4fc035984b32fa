/** Steps of a training that leave nothing behind: to time them, and to try learning rates. */
import { batchesInEpoch } from '../../data/batches.ts';
import { summarise } from '../../data/data-report.ts';
import type { Engine } from '../../engine/engine.ts';
import { graphOf } from '../../model/description.ts';
import { batchesOf, initialiseStore, openPrograms, type Programs, type RunToOpen } from '../open-run.ts';
import { weightsOf } from '../recipe/class-weights.ts';
import { graphToTrain } from '../recipe/recipe.ts';
import { openRunData, type RunData } from '../run-data.ts';
import { readOutputs, stepInputs } from '../training-step.ts';

export interface Trial extends Programs {
  readonly splits: RunData;
  readonly stepsPerEpoch: number;
  /** Trains one step. @returns its loss, and its time with the wait for its images */
  next(learningRate: number): Promise<{ readonly loss: number; readonly seconds: number }>;
}

/** Opens everything as a new training does, except its folder, and closes it again. */
export async function onTrial<Result>(
  options: RunToOpen & { readonly engine: Engine },
  use: (trial: Trial) => Promise<Result>,
): Promise<Result> {
  const { configuration, engine } = options;
  const { recipe } = configuration;
  const splits = await openRunData(options);
  const { train } = splits;
  const graph = graphToTrain(graphOf(configuration), recipe);
  const stepsPerEpoch = batchesInEpoch(train, recipe.batch);
  const classWeights = weightsOf(recipe.classWeights, summarise(train));
  const programs = await openPrograms(engine, graph, configuration);
  const batches = batchesOf(train, configuration);
  try {
    await initialiseStore(options, { store: programs.store, graph });
    await programs.prepare();
    let step = 0;
    const next = async (learningRate: number) => {
      const begin = performance.now();
      const batch = (await batches.next()).value;
      const inputs = stepInputs(batch, { configuration, step, learningRate, classWeights });
      const { loss } = readOutputs(await programs.step.run(inputs));
      step++;
      return { loss, seconds: (performance.now() - begin) / 1000 };
    };
    return await use({ ...programs, splits, stepsPerEpoch, next });
  } finally {
    await batches.return(undefined);
    programs.release();
  }
}
