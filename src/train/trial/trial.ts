/** Steps of a training that leave nothing behind: to time them, and to try learning rates. */
import { batchesInEpoch } from '../../data/batches.ts';
import { summarise } from '../../data/data-report.ts';
import { ownGroup } from '../../distributed/group.ts';
import type { Engine } from '../../engine/engine.ts';
import { graphOf } from '../../model/description.ts';
import { batchesOf, initialiseStore, openPrograms, type Programs, type RunToOpen } from '../open-run.ts';
import { weightsOf } from '../recipe/class-weights.ts';
import { graphToTrain } from '../recipe/recipe.ts';
import { ownReplicas, runStep } from '../replicas/replicas.ts';
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
  const stepsPerEpoch = batchesInEpoch(train, recipe.batch, recipe.replicas);
  const replicas = ownReplicas(recipe.replicas, ownGroup);
  const classWeights = weightsOf(recipe.classWeights, summarise(train));
  const programs = await openPrograms(engine, graph, configuration);
  const batches = batchesOf(train, configuration, { replicas });
  try {
    await initialiseStore(options, { store: programs.store, graph });
    await programs.prepare();
    let step = 0;
    const next = async (learningRate: number) => {
      const begin = performance.now();
      const asked = { stop: false, save: false };
      const at = { configuration, step, learningRate, classWeights, asked };
      const { outputs } = await runStep({
        ...{ programs, replicas, batches, step },
        seed: configuration.seed,
        inputsOf: (batch) => stepInputs(batch, at),
      });
      const { loss } = readOutputs(outputs, recipe.replicas);
      step++;
      return { loss, seconds: (performance.now() - begin) / 1000 };
    };
    return await use({ ...programs, splits, stepsPerEpoch, next });
  } finally {
    await batches.return(undefined);
    programs.release();
  }
}
