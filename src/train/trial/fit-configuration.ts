/** The configuration of a new run, with what depends on this machine: the batch on its memory, the length on its speed. */
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../errors.ts';
import { graphOf } from '../../model/description.ts';
import { checkOptions } from '../../option.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { createConfiguration } from '../configuration/create-configuration.ts';
import { runNumbers } from '../configuration/run-options.ts';
import { plannedBytesOf } from '../open-run.ts';
import { graphToTrain } from '../recipe/recipe.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { halved } from '../run-with-less-memory.ts';
import type { StartingWeights } from '../starting/starting-weights.ts';
import type { TrainOptions } from '../train-options.ts';
import { availableBytes } from './available-memory.ts';
import { fitBatch } from './fit-batch.ts';
import { fitToTime } from './time-a-training.ts';

interface NewRunOn {
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly starting: StartingWeights | undefined;
  /** When the training was asked for, in milliseconds of `performance.now()`. */
  readonly began: number;
  readonly onNotice?: (message: string) => void;
}

/** @throws the errors of `createConfiguration`; UsageError if no batch fits into the memory, or no step into the time */
export async function fitConfiguration(
  options: TrainOptions,
  { engine, folder, starting, began, onNotice }: NewRunOn,
): Promise<Configuration> {
  const { timeSeconds } = options;
  checkOptions(runNumbers, { timeSeconds }, { what: 'option', Failure: UsageError });
  const asked = typeof options.recipe === 'object' ? options.recipe : {};
  if (timeSeconds !== undefined && typeof asked.epochs === 'number')
    throw new UsageError(
      `--time and --epochs ${asked.epochs}: both say how long the training is; expected one of them`,
    );
  const { facts } = engine;
  const processes = options.group?.size ?? 1;
  let configuration = await createConfiguration(options, facts, { starting, onNotice, processes });
  const graph = graphToTrain(graphOf(configuration), configuration.recipe);
  if (asked.batch === 'auto') {
    const images = configuration.files?.train.images ?? 0;
    const ofBatch = (batch: number) => ({ ...configuration, recipe: { ...configuration.recipe, batch } });
    const batch = fitBatch({
      plannedBytes: (size) => plannedBytesOf(graph, { configuration: ofBatch(size), kernels: facts.kernels }),
      availableBytes: await availableBytes(facts.device),
      images: Math.min(images, options.limitTrain ?? images),
    });
    const recipe = { ...asked, batch: batch.taken };
    configuration = added(await createConfiguration({ ...options, recipe }, facts, { starting, processes }), {
      fitted: { batch },
      decision: `batch of ${batch.taken}: ${batch.reason}`,
    });
  }
  if (timeSeconds === undefined) return configuration;
  const hasOwnPatience = asked.patience !== undefined;
  const run = { folder, engine, startingModel: starting?.model, resume: false };
  const budget = { seconds: timeSeconds, began, hasOwnPatience };
  for (;;)
    try {
      const { recipe, time, decision } = await fitToTime({ ...run, configuration }, budget);
      return added({ ...configuration, recipe }, { fitted: { ...configuration.fitted, time }, decision });
    } catch (error) {
      // What is timed is what will be trained.
      configuration = halved(configuration, error);
    }
}

const added = (
  configuration: Configuration,
  { fitted, decision }: { fitted: NonNullable<Configuration['fitted']>; decision: string },
): Configuration => ({
  ...configuration,
  fitted,
  decisions: [...(configuration.decisions ?? []), decision],
});
