/** Everything needed to resume a training bit for bit, in one safetensors file. */
import { type Optimizer, stateNames } from '../../compile/optimizers/optimizers.ts';
import type { Store } from '../../engine/engine.ts';
import { type Graph, isStatistic, parametersOf } from '../../graph/graph.ts';
import { frozenNames } from '../../graph/parts.ts';
import { nonFinite } from '../../model/non-finite.ts';
import { parseJson } from '../../parse-json.ts';
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorSource,
  writeSafetensors,
} from '../../weights/safetensors/safetensors.ts';
import { WeightsError } from '../../weights/tensor-file.ts';
import { RunError } from '../configuration/configuration.ts';
import { TrainingError } from '../training-error.ts';
import { initialState, type TrainingState, trainingState } from './training-state.ts';

/** A checkpoint that is not as it was written, or holds values that are not numbers. */
export class DamagedCheckpointError extends RunError {
  override name = 'DamagedCheckpointError';
}

/** Version 1 had no checksums, and of the state only the position. */
const formats = { 1: 'inception checkpoint 1', 2: 'inception checkpoint 2' } as const;

interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter; for those that are trained also the average and the optimiser's state. */
function storedTensors(graph: Graph, optimizer: Optimizer): Stored[] {
  const prefixes = ['', 'averages/', ...stateNames(optimizer).map((name) => `${name}/`)];
  const frozen = frozenNames(graph);
  return parametersOf(graph).flatMap((parameter) =>
    (isStatistic(parameter) || frozen.has(parameter.name) ? [''] : prefixes).map((prefix) => ({
      name: prefix + parameter.name,
      shape: parameter.shape,
    })),
  );
}

/** @throws TrainingError when it is read, if a value is not a finite number. */
const sourceOf = (
  store: Store,
  { name, shape }: Stored,
  { step, storedName = name }: { step: number; storedName?: string },
): TensorSource => ({
  name: storedName,
  dtype: 'F32',
  shape,
  read: async () => {
    const values = (await store.read(name)).data as Float32Array;
    const problem = nonFinite(name, values);
    if (problem)
      throw new TrainingError(`step ${step}: ${problem}; nothing was saved, and the last checkpoint is kept`);
    return values;
  },
});

/** What a checkpoint is of. */
export interface Trained {
  readonly store: Store;
  readonly graph: Graph;
  readonly optimizer: Optimizer;
}

/** Writes a checkpoint atomically. @throws TrainingError if a value is not a finite number. */
export async function saveCheckpoint(
  path: string,
  {
    store,
    graph,
    optimizer,
    state,
    metadata: extra,
  }: Trained & { state: TrainingState; metadata: Readonly<Record<string, string>> },
): Promise<void> {
  const randomState = await store.randomState();
  const tensors = [
    ...storedTensors(graph, optimizer).map((tensor) => sourceOf(store, tensor, state.position)),
    { name: 'randomState', dtype: 'U8', shape: [randomState.length], read: () => randomState },
  ];
  const metadata = {
    ...extra,
    format: formats[2],
    network: graph.network.name,
    optimizer: optimizer.kind,
    state: JSON.stringify(state),
  };
  await writeSafetensors(path, { tensors, metadata, checksums: true });
}

/**
 * Fills the store from a checkpoint.
 * @throws RunError if it belongs to another network or another optimiser; DamagedCheckpointError if it is not as it was
 *   written: the store then holds parts of it.
 */
export async function restoreCheckpoint(
  path: string,
  { store, graph, optimizer }: Trained,
): Promise<TrainingState> {
  const file = await unlessDamaged(() => openSafetensors(path));
  try {
    const state = stateOf(file, path);
    // Checkpoints without the key are from when RMSProp was the only optimiser.
    const writtenBy = file.metadata.get('optimizer') ?? 'rmsprop';
    if (writtenBy !== optimizer.kind) {
      throw new RunError(
        `${path}: a checkpoint of ${writtenBy}, expected one of ${optimizer.kind}; resume with the optimiser the run was started with`,
      );
    }
    const expected = storedTensors(graph, optimizer);
    const mismatch = expected.find(
      ({ name, shape }) => file.tensors.get(name)?.shape.join() !== shape.join(),
    );
    if (mismatch) {
      throw new RunError(
        `${path}: not a checkpoint of this network ('${mismatch.name}' [${mismatch.shape.join(', ')}] is missing or has another shape)`,
      );
    }
    for (const { name } of expected) {
      const values = (await unlessDamaged(() => file.read(name))).data as Float32Array;
      const problem = nonFinite(name, values);
      if (problem) throw new DamagedCheckpointError(`${path}: ${problem}`);
      await store.write(name, values);
    }
    const { data } = await unlessDamaged(() => file.read('randomState'));
    await store.setRandomState(data as Uint8Array);
    return state;
  } finally {
    await file.close();
  }
}

function stateOf({ metadata, verified }: SafetensorsFile, path: string): TrainingState {
  const format = metadata.get('format');
  const known = { schema: trainingState, path, Failure: DamagedCheckpointError };
  if (format === formats[2] && verified) return parseJson(metadata.get('state') ?? '', known);
  const position = metadata.get('position');
  if (format !== formats[1] || verified || position === undefined)
    throw new DamagedCheckpointError(`${path}: not a checkpoint, or its header is damaged`);
  return parseJson(
    `{"position":${position},"window":${JSON.stringify(initialState.window)},"deadSteps":0}`,
    known,
  );
}

/** Files that cannot be read at the moment are not damaged. */
async function unlessDamaged<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    const readable = !(error instanceof Error && error.cause instanceof Error && 'syscall' in error.cause);
    if (!(error instanceof WeightsError && readable)) throw error;
    throw new DamagedCheckpointError(error.message, { cause: error });
  }
}

/**
 * Writes the trained model: averaged weights and moving statistics under the parameters' names.
 * @throws TrainingError if a value is not a finite number.
 */
export async function saveModel(
  path: string,
  {
    store,
    graph,
    step,
    metadata,
  }: { store: Store; graph: Graph; step: number; metadata: Readonly<Record<string, string>> },
): Promise<void> {
  const tensors = parametersOf(graph).map((parameter) => {
    const name = isStatistic(parameter) ? parameter.name : `averages/${parameter.name}`;
    return sourceOf(store, { name, shape: parameter.shape }, { step, storedName: parameter.name });
  });
  await writeSafetensors(path, { tensors, metadata: { ...metadata, step: String(step) }, checksums: true });
}

/** Fills the averages of a store from a model that `saveModel` wrote, so that they can be evaluated; what is trained stays as it is. */
export async function restoreModel(
  path: string,
  { store, graph }: { readonly store: Store; readonly graph: Graph },
): Promise<void> {
  const file = await openSafetensors(path);
  try {
    for (const parameter of parametersOf(graph)) {
      const name = isStatistic(parameter) ? parameter.name : `averages/${parameter.name}`;
      await store.write(name, (await file.read(parameter.name)).data as Float32Array);
    }
  } finally {
    await file.close();
  }
}
