/** How a training is shared among processes. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { type Group, ownGroup } from '../../distributed/group.ts';
import { EngineError, type Store, type TensorGroup } from '../../engine/engine.ts';
import type { Configuration } from '../configuration/configuration.ts';
import type { Recorder } from '../run/recorder.ts';
import { TrainingError } from '../training-error.ts';

/** The processes of a training. */
export interface Sharing {
  readonly group: Group;
  /** What carries tensors between them; undefined in a group of one. */
  readonly tensors: TensorGroup | undefined;
}

/** A training of one process. */
export const alone: Sharing = { group: ownGroup, tensors: undefined };

export const isFirst = ({ group }: Pick<Sharing, 'group'>): boolean => group.rank === 0;

/** Tensors of a step that need not be the same before it. */
const ofAStep = new Set(['gradient', 'sums', 'reports', 'batchStatistics', 'bfloat16']);

/** The flat tensors that make a training's state: weights, averages, statistics, the optimiser's. */
const stateTensors = ({ names }: Pick<Store, 'names'>): readonly string[] =>
  names.filter((name) => name.startsWith('flat/') && !ofAStep.has(name.slice('flat/'.length)));

/** Gives all processes what the first one has. */
export async function shareStore(store: Store, { tensors }: Sharing): Promise<void> {
  if (tensors) for (const name of stateTensors(store)) await tensors.broadcast(store, name);
}

/** The moving statistics that are evaluated and saved are the first process's. */
export async function shareStatistics(
  store: Store,
  { tensors }: Sharing,
  { recipe: { batchNormAverage } }: Pick<Configuration, 'recipe'>,
): Promise<void> {
  const name = 'flat/statistics';
  if (tensors && batchNormAverage === 'broadcast' && store.names.includes(name))
    await tensors.broadcast(store, name);
}

/** Steps between comparisons of the weights: reading them costs about as much as a tenth of a step. */
export const compareEvery = 200;

/**
 * Compares the weights of all processes.
 * @throws TrainingError naming the first parameter that differs, and where
 */
export async function compareWeights(
  store: Store,
  { group }: Sharing,
  { step, parameters }: { readonly step: number; readonly parameters: readonly string[] },
): Promise<void> {
  if (group.size === 1) return;
  const sums = await group.gather(await store.checksum('flat/weights'));
  if (new Set(sums).size === 1) return;
  for (const name of parameters) {
    const each = await group.gather(await store.checksum(name));
    const rank = each.findIndex((sum) => sum !== each[0]);
    if (rank > 0)
      throw new TrainingError(
        `step ${step}: the weights of rank ${rank} (${group.hosts[rank]}) differ from those of rank 0 (${group.hosts[0]}), first in '${name}': a process computed something else, by damaged memory or another program; resume from the last checkpoint`,
      );
  }
  throw new TrainingError(`step ${step}: the weights of the processes differ between their parameters`);
}

/** Of a process that is not the first one: the first one writes. */
const silent: Recorder = {
  rewind: async () => undefined,
  repairModel: async () => undefined,
  firstBatch: async () => undefined,
  steps: async () => undefined,
  checkpoint: async () => undefined,
  evaluation: async (metrics) => metrics,
  model: async () => undefined,
  test: async () => undefined,
  finish: async () => undefined,
};

/** The first process's recorder, where all are told which evaluation is the model; a silent one elsewhere. */
export const recordAmong = ({ group }: Sharing, recorder: Recorder): Recorder => {
  const own = isFirst({ group }) ? recorder : silent;
  return {
    ...own,
    evaluation: async (...given) =>
      group.fromFirst(isFirst({ group }) ? await own.evaluation(...given) : undefined),
  };
};

/** Milliseconds within which the heartbeats tell of a peer whose connections have ended. */
const verdictMs = 3000;

/**
 * An error of the engine because a peer is lost is the peer's loss.
 * @throws LostPeerError
 */
export async function refuseLostPeer({ group, tensors }: Sharing, error: unknown): Promise<void> {
  if (!tensors || !(error instanceof EngineError)) return;
  const { lost } = group;
  if (!lost.aborted)
    await Promise.race([once(lost, 'abort'), setTimeout(verdictMs, undefined, { ref: false })]);
  lost.throwIfAborted();
}
