/** What a training needs before its first step: its programs and its first state. */
import { mergeStores } from '../compile/merge-stores.ts';
import type { Kernels } from '../compile/options.ts';
import { plannedMemory } from '../compile/planned-memory.ts';
import type { Program } from '../compile/program.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import { type TrainingBatchOptions, trainingBatches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import { type Group, ownGroup } from '../distributed/group.ts';
import { type Engine, OutOfMemoryError, type Store } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { initialise } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { planPredictor, type TorchPredictor } from '../predict/torch-predictor.ts';
import { type Configuration, RunError } from './configuration/configuration.ts';
import { stepOptionsOf } from './recipe/recipe.ts';
import { ownReplicas, type StepPrograms } from './replicas/replicas.ts';
import { isFirst, type Sharing, shareStore } from './replicas/sharing.ts';
import type { Recorder } from './run/recorder.ts';
import { restoreLatest } from './run/restore-latest.ts';
import type { RunFolder } from './run/run-folder.ts';
import { initialState, type TrainingState } from './run/training-state.ts';
import { fillStore } from './starting/fill-store.ts';
import { availableOnLinux, gigabytes } from './trial/available-memory.ts';

export interface RunToOpen {
  readonly configuration: Configuration;
  readonly folder: RunFolder;
  readonly resume: boolean;
  /** The model that a new run's weights come from. */
  readonly startingModel?: ModelFile | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A training step and a predictor for the averaged weights, with one store for both. */
export interface Programs extends StepPrograms {
  readonly store: Store;
  readonly predictor: TorchPredictor;
  /** Frees the memory of all of them. */
  release(): void;
  /** Folds and packs the frozen weights; to be run when they have their values. */
  readonly prepare: () => Promise<void>;
}

interface Planned {
  readonly configuration: Pick<Configuration, 'recipe' | 'precision' | 'preprocessing'>;
  readonly kernels: Kernels;
  /** Processes that share the training. Default 1. */
  readonly processes?: number;
}

/** Compiles them. */
function planPrograms(graph: Graph, { configuration, kernels, processes = 1 }: Planned) {
  const { recipe, precision, preprocessing } = configuration;
  const { mean, std } = preprocessing;
  const options = { precision, scaling: { mean, std }, kernels };
  const training = compileTraining(graph, { ...stepOptionsOf(recipe, { processes }), ...options });
  const plan = planPredictor(graph, { ...options, batch: recipe.batch, parameters: 'averages' });
  const spec = mergeStores(training.store, plan.spec);
  const activation = precision === 'bfloat16' ? 2 : 4;
  const { storeBytes, peakBytes } = plannedMemory(training.step, { store: spec, bytes: activation });
  return { training, plan, spec, plannedBytes: storeBytes + peakBytes };
}

/** What a training needs at least, in bytes. */
export const plannedBytesOf = (graph: Graph, planned: Planned): number =>
  planPrograms(graph, planned).plannedBytes;

/** Compiles and loads them. @throws OutOfMemoryError before anything is allocated, if they cannot fit */
export async function openPrograms(
  engine: Engine,
  graph: Graph,
  configuration: Configuration,
  { rank, size }: Pick<Group, 'rank' | 'size'> = ownGroup,
): Promise<Programs> {
  const { device, kernels } = engine.facts;
  const { training, plan, spec, plannedBytes } = planPrograms(graph, {
    configuration,
    kernels,
    processes: size,
  });
  // Linux gives a process memory that is not there, and ends it without a word when it is used.
  const available = device === 'cpu' ? await availableOnLinux() : undefined;
  if (available !== undefined && plannedBytes > available)
    throw new OutOfMemoryError(
      `${training.step.name}: out of memory: it needs at least ${gigabytes(plannedBytes)}, and ${gigabytes(available)} are available; use a smaller batch or input size, or free memory`,
    );
  const store = await engine.createStore(spec);
  const { rounds, isIdleAtLast } = ownReplicas(configuration.recipe.replicas, { rank, size });
  const load = (program: Program | undefined) => (program ? engine.load(program, store) : undefined);
  const step = await engine.load(training.step, store);
  const accumulate = rounds > 1 ? await load(training.accumulate) : undefined;
  const idle = isIdleAtLast ? await load(training.idle) : undefined;
  const predictor = await plan.open(engine, store);
  const release = () => {
    for (const resource of [predictor, step, accumulate, idle, store]) resource?.release();
  };
  const prepare = async () => {
    if (!training.prepare) return;
    const frozen = await engine.load(training.prepare, store);
    await frozen.run({});
    frozen.release();
  };
  return { store, step, accumulate, idle, predictor, release, prepare };
}

/** Endless batches of a run's training images, from its beginning or from where it was stopped. */
export const batchesOf = (
  train: Dataset,
  { recipe, preprocessing, seed }: Configuration,
  rest: Pick<TrainingBatchOptions, 'start' | 'onBroken' | 'onNotice' | 'reuse' | 'replicas'> = {},
) =>
  trainingBatches(train, {
    batch: recipe.batch,
    size: preprocessing.size,
    augmentation: recipe.augmentation,
    sampling: recipe.sampling,
    seed,
    ...rest,
  });

/** The weights before the first step: from the model that the run starts from, or random. */
export async function initialiseStore(
  { configuration, folder, startingModel }: RunToOpen,
  { store, graph }: { store: Store; graph: Graph },
): Promise<void> {
  const { seed, classes, weights, recipe } = configuration;
  if (startingModel) await fillStore(store, { model: startingModel, graph, classes, seed });
  else if (weights)
    throw new RunError(
      `${folder.path}: it was stopped before it had saved the weights that it starts from; remove the folder and start it again from ${weights.source}`,
    );
  else await initialise(store, graph, { seed, residualInit: recipe.residualInit });
}

/** Initialises the weights, or restores the latest checkpoint: the first process does, and the others get what it has. */
export async function firstState(
  options: RunToOpen & { readonly sharing: Sharing },
  opened: { store: Store; graph: Graph; recorder: Recorder },
): Promise<TrainingState> {
  const { sharing } = options;
  const state = await sharing.group.fromFirst(
    isFirst(sharing) ? await stateInFolder(options, opened) : undefined,
  );
  await shareStore(opened.store, sharing);
  return state;
}

async function stateInFolder(
  options: RunToOpen,
  { store, graph, recorder }: { store: Store; graph: Graph; recorder: Recorder },
): Promise<TrainingState> {
  const { configuration, folder, resume, onWarning } = options;
  const { optimizer } = configuration.recipe;
  const restored = resume ? await restoreLatest(folder, { store, graph, optimizer }, onWarning) : undefined;
  if (resume) await recorder.rewind((restored ?? initialState).position.step);
  if (restored) return restored;
  await initialiseStore(options, { store, graph });
  return initialState;
}
