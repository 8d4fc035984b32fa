/** What a training needs before its first step: its data, its programs and its first state. */
import { mergeStores } from '../compile/merge-stores.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import { alignClasses } from '../data/align-classes.ts';
import { DataError } from '../data/data-error.ts';
import type { Dataset } from '../data/dataset.ts';
import { openData, subset } from '../data/open-data.ts';
import type { Engine, LoadedProgram, Store } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { initialise } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { planPredictor, type TorchPredictor } from '../predict/torch-predictor.ts';
import { type Configuration, RunError } from './configuration/configuration.ts';
import { dataPath, differenceOf, filesOf } from './configuration/data-files.ts';
import { stepOptionsOf } from './recipe/recipe.ts';
import type { Recorder } from './run/recorder.ts';
import { restoreLatest } from './run/restore-latest.ts';
import type { RunFolder } from './run/run-folder.ts';
import { initialState, type TrainingState } from './run/training-state.ts';
import { fillStore } from './starting/fill-store.ts';

interface RunToOpen {
  readonly configuration: Configuration;
  readonly folder: RunFolder;
  readonly resume: boolean;
  /** The model that a new run's weights come from. */
  readonly startingModel?: ModelFile | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

const moved = 'if the data have moved, add --data with their new folder to --resume';

/** @throws RunError if it holds other classes, or other files than the run began with; DataError if it is missing. */
export async function openSplit(
  { configuration, resume, folder, onWarning }: RunToOpen,
  split: 'train' | 'validation',
): Promise<Dataset> {
  const { files, limitTrain, limitTest, classes } = configuration;
  // Runs of earlier versions hold the path as it was typed.
  const data = dataPath(configuration.data);
  const opened = await openData(data, split).catch((error) => {
    throw resume && error instanceof DataError ? new DataError(`${error.message}; ${moved}`) : error;
  });
  // A test split may lack images of some classes.
  const dataset = split === 'train' ? opened : alignClasses(opened, classes);
  if (dataset.classes.join() !== classes.join()) {
    throw new RunError(
      `${dataset.name}: its classes are ${dataset.classes.join(', ')}; the run has ${classes.join(', ')}`,
    );
  }
  const began = files?.[split === 'train' ? 'train' : 'test'];
  const difference = began && differenceOf(began, filesOf(opened, data));
  if (difference !== undefined)
    throw new RunError(
      `${dataset.name}: ${difference}. ${folder.path} goes on with the files that it began with: put them back, or start a new run`,
    );
  if (resume && !files && split === 'train')
    onWarning?.(
      `${folder.path} is of an earlier version, which did not record its files: whether ${data} is as it was is not known`,
    );
  const limit = split === 'train' ? limitTrain : limitTest;
  return limit === null ? dataset : subset(dataset, limit);
}

/** A training step and a predictor for the averaged weights, with one store for both. */
export interface Programs {
  readonly store: Store;
  readonly step: LoadedProgram;
  readonly predictor: TorchPredictor;
}

/** Compiles and loads them. */
export async function openPrograms(
  engine: Engine,
  graph: Graph,
  configuration: Configuration,
): Promise<Programs> {
  const { recipe, precision } = configuration;
  const { mean, std } = configuration.preprocessing;
  const scaling = { mean, std };
  const { kernels } = engine.facts;
  const training = compileTraining(graph, {
    ...stepOptionsOf(recipe),
    precision,
    scaling,
    kernels,
  });
  const plan = planPredictor(graph, {
    batch: recipe.batch,
    precision,
    scaling,
    parameters: 'averages',
    kernels,
  });
  const store = await engine.createStore(mergeStores(training.store, plan.spec));
  const step = await engine.load(training.step, store);
  return { store, step, predictor: await plan.open(engine, store) };
}

/** Initialises the weights, or restores the latest checkpoint. */
export async function firstState(
  { configuration, folder, resume, startingModel, onWarning }: RunToOpen,
  { store, graph, recorder }: { store: Store; graph: Graph; recorder: Recorder },
): Promise<TrainingState> {
  const { optimizer } = configuration.recipe;
  const restored = resume ? await restoreLatest(folder, { store, graph, optimizer }, onWarning) : undefined;
  if (resume) await recorder.rewind((restored ?? initialState).position.step);
  if (restored) return restored;
  const { seed, classes, weights } = configuration;
  if (startingModel) await fillStore(store, { model: startingModel, graph, classes, seed });
  else if (weights)
    throw new RunError(
      `${folder.path}: it was stopped before it had saved the weights that it starts from; remove the folder and start it again from ${weights.source}`,
    );
  else await initialise(store, graph, seed);
  return initialState;
}
