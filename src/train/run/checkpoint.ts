/** Everything needed to resume a training bit for bit, in one safetensors file. */
import { type Optimizer, stateNames } from '../../compile/optimizers/optimizers.ts';
import type { Store } from '../../engine/engine.ts';
import { type Graph, isStatistic, parametersOf } from '../../graph/graph.ts';
import {
  openSafetensors,
  type TensorSource,
  writeSafetensors,
} from '../../weights/safetensors/safetensors.ts';
import { RunError } from '../configuration.ts';

/** The progress of a training. */
export interface Position {
  /** Completed steps; also the update counter of the weight averages. */
  readonly step: number;
  /** Epoch of the next batch, from 0. */
  readonly epoch: number;
  /** Index of the next batch in its epoch. */
  readonly position: number;
  /** Training time, without evaluations. */
  readonly elapsedSeconds: number;
}

interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter; for trainable ones also the average and the optimiser's state. */
function storedTensors(graph: Graph, optimizer: Optimizer): Stored[] {
  const prefixes = ['', 'averages/', ...stateNames(optimizer).map((name) => `${name}/`)];
  return parametersOf(graph).flatMap((parameter) =>
    (isStatistic(parameter) ? [''] : prefixes).map((prefix) => ({
      name: prefix + parameter.name,
      shape: parameter.shape,
    })),
  );
}

const sourceOf = (store: Store, { name, shape }: Stored, storedName = name): TensorSource => ({
  name: storedName,
  dtype: 'F32',
  shape,
  read: async () => (await store.read(name)).data as Float32Array,
});

/** Writes a checkpoint atomically. */
export async function saveCheckpoint(
  path: string,
  {
    store,
    graph,
    optimizer,
    position,
    metadata: extra,
  }: {
    store: Store;
    graph: Graph;
    optimizer: Optimizer;
    position: Position;
    metadata: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const randomState = await store.randomState();
  const tensors = [
    ...storedTensors(graph, optimizer).map((tensor) => sourceOf(store, tensor)),
    { name: 'randomState', dtype: 'U8', shape: [randomState.length], read: () => randomState },
  ];
  const metadata = {
    ...extra,
    format: 'inception checkpoint 1',
    network: graph.network.name,
    optimizer: optimizer.kind,
    position: JSON.stringify(position),
  };
  await writeSafetensors(path, { tensors, metadata });
}

/** Fills the store from a checkpoint. @throws RunError if it belongs to another network or another optimiser. */
export async function restoreCheckpoint(
  path: string,
  { store, graph, optimizer }: { store: Store; graph: Graph; optimizer: Optimizer },
): Promise<Position> {
  const file = await openSafetensors(path);
  try {
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
    const position = file.metadata.get('position');
    if (mismatch || position === undefined) {
      throw new RunError(
        `${path}: not a checkpoint of this network${mismatch ? ` ('${mismatch.name}' [${mismatch.shape.join(', ')}] is missing or has another shape)` : ''}`,
      );
    }
    for (const { name } of expected) await store.write(name, (await file.read(name)).data as Float32Array);
    await store.setRandomState((await file.read('randomState')).data as Uint8Array);
    return JSON.parse(position) as Position;
  } finally {
    await file.close();
  }
}

/** Writes the trained model: averaged weights and moving statistics under the parameters' names. */
export async function saveModel(
  path: string,
  { store, graph, metadata }: { store: Store; graph: Graph; metadata: Readonly<Record<string, string>> },
): Promise<void> {
  const tensors = parametersOf(graph).map((parameter) => {
    const name = isStatistic(parameter) ? parameter.name : `averages/${parameter.name}`;
    return sourceOf(store, { name, shape: parameter.shape }, parameter.name);
  });
  await writeSafetensors(path, { tensors, metadata });
}
