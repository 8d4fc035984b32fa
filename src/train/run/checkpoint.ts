/** Everything that a training needs to go on bit for bit, in one safetensors file. */
import { type Optimizer, stateNames } from '../../compile/optimizers/optimizers.ts';
import type { Store } from '../../engine/engine.ts';
import { type Graph, isStatistic, parametersOf } from '../../graph/graph.ts';
import {
  openSafetensors,
  type TensorSource,
  writeSafetensors,
} from '../../weights/safetensors/safetensors.ts';
import { RunError } from '../configuration.ts';

/** Where a training stands. */
export interface Position {
  /** Steps done; also the averages' update counter. */
  readonly step: number;
  /** The batch that comes next. */
  readonly epoch: number;
  readonly position: number;
  /** Of training, without evaluations. */
  readonly elapsedSeconds: number;
}

interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter; of trainable ones also the average and what the optimiser keeps. */
function storedTensors(graph: Graph, optimizer: Optimizer): Stored[] {
  const prefixes = ['', 'averages/', ...stateNames(optimizer).map((name) => `${name}/`)];
  return parametersOf(graph).flatMap((parameter) =>
    (isStatistic(parameter) ? [''] : prefixes).map((prefix) => ({
      name: prefix + parameter.name,
      shape: parameter.shape,
    })),
  );
}

const sourceOf = (store: Store, { name, shape }: Stored, as = name): TensorSource => ({
  name: as,
  dtype: 'F32',
  shape,
  read: async () => (await store.read(name)).data as Float32Array,
});

/** Writes a checkpoint: whole, or not at all. */
export async function saveCheckpoint(
  path: string,
  {
    store,
    graph,
    optimizer,
    at,
    metadata: about,
  }: {
    store: Store;
    graph: Graph;
    optimizer: Optimizer;
    at: Position;
    metadata: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const randomState = await store.randomState();
  const tensors = [
    ...storedTensors(graph, optimizer).map((each) => sourceOf(store, each)),
    { name: 'randomState', dtype: 'U8', shape: [randomState.length], read: () => randomState },
  ];
  const metadata = {
    ...about,
    format: 'inception checkpoint 1',
    network: graph.network.name,
    optimizer: optimizer.kind,
    position: JSON.stringify(at),
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
    // RMSProp was the only one when checkpoints did not say it.
    const writtenBy = file.metadata.get('optimizer') ?? 'rmsprop';
    if (writtenBy !== optimizer.kind) {
      throw new RunError(
        `${path}: a checkpoint of ${writtenBy}, expected one of ${optimizer.kind}; resume with the optimiser that the run began with`,
      );
    }
    const expected = storedTensors(graph, optimizer);
    const strange = expected.find(({ name, shape }) => file.tensors.get(name)?.shape.join() !== shape.join());
    const position = file.metadata.get('position');
    if (strange || position === undefined) {
      throw new RunError(
        `${path}: not a checkpoint of this network${strange ? ` ('${strange.name}' [${strange.shape.join(', ')}] is missing or has another shape)` : ''}`,
      );
    }
    for (const { name } of expected) await store.write(name, (await file.read(name)).data as Float32Array);
    await store.setRandomState((await file.read('randomState')).data as Uint8Array);
    return JSON.parse(position) as Position;
  } finally {
    await file.close();
  }
}

/** Writes the averaged weights and the statistics under the parameters' names: the trained model. */
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
