/** What a training needs before its first step: its programs and its first state. */
import { mergeStores } from '../compile/merge-stores.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import type { Engine, LoadedProgram, Store } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { initialise } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { planPredictor, type TorchPredictor } from '../predict/torch-predictor.ts';
import { type Configuration, RunError } from './configuration/configuration.ts';
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
