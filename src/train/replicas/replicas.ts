/** Which replicas of a training are this process's, and one step of them. */
import type { Replicas, TrainingBatch } from '../../data/batches.ts';
import type { Group } from '../../distributed/group.ts';
import type { HostArray, HostTensor, LoadedProgram, Store } from '../../engine/engine.ts';
import { randomFor } from '../../random.ts';

/**
 * Replicas go to processes in turns, and a process runs its own one after another: in round r those from r · processes on, one of each
 * process. So gradients can be added in the order of replicas, whatever the number of processes.
 */
export interface OwnReplicas extends Replicas {
  readonly rounds: number;
  /** Whether there is none left for this process in the last round. */
  readonly isIdleAtLast: boolean;
}

export function ownReplicas(count: number, { rank, size }: Pick<Group, 'rank' | 'size'>): OwnReplicas {
  const rounds = Math.ceil(count / size);
  const all = Array.from({ length: rounds }, (_, round) => round * size + rank);
  const own = all.filter((replica) => replica < count);
  return { count, own, rounds, isIdleAtLast: own.length < rounds };
}

/** What is decided in the user's place where replicas and processes do not match, as a sentence. */
export function describeSharing(count: number, processes: number): string | undefined {
  if (processes === 1 && count === 1) return undefined;
  const replicas = count === 1 ? '1 replica' : `${count} replicas`;
  if (processes === 1) return `${replicas}, one after another in this process`;
  const spare = processes - count;
  if (spare > 0)
    return `${replicas} on ${processes} processes: ${spare === 1 ? 'one has' : `${spare} have`} nothing to train; a new run with --replicas ${processes} gives each of them a batch`;
  const rest = count % processes;
  const rounds = Math.ceil(count / processes);
  const each = rounds === 1 ? 'one each' : `up to ${rounds} each, one after another`;
  const waiting = processes - rest;
  const wait =
    rest === 0
      ? ''
      : `; in the last round ${waiting === 1 ? 'one of them waits' : `${waiting} of them wait`}`;
  return `${replicas} on ${processes} processes: ${rest === 0 && rounds > 1 ? `${rounds} each, one after another` : each}${wait}`;
}

/** The programs of a step. */
export interface StepPrograms {
  readonly store: Pick<Store, 'seed'>;
  /** A replica's forward and backward pass, and the update. */
  readonly step: LoadedProgram;
  /** Those of a round that is not the last: without the update. */
  readonly accumulate: LoadedProgram | undefined;
  /** The update of a process without a replica in the last round. */
  readonly idle: LoadedProgram | undefined;
}

interface StepOptions {
  readonly programs: StepPrograms;
  readonly replicas: OwnReplicas;
  readonly batches: AsyncIterator<TrainingBatch>;
  readonly seed: number;
  /** Completed steps. */
  readonly step: number;
  /** Inputs of a program; without a batch, those that are not about images. */
  readonly inputsOf: (batch: TrainingBatch | undefined) => Readonly<Record<string, HostArray>>;
}

/** Trains one step of all own replicas. @returns the outputs of the last program, and milliseconds for which batches were not ready */
export async function runStep({ programs, replicas, batches, seed, step, inputsOf }: StepOptions): Promise<{
  readonly outputs: Record<string, HostTensor>;
  readonly waited: number;
}> {
  const { count, own, rounds, isIdleAtLast } = replicas;
  let outputs: Record<string, HostTensor> = {};
  let waited = 0;
  for (let round = 0; round < rounds; round++) {
    const isLast = round + 1 === rounds;
    const begin = performance.now();
    const batch = isLast && isIdleAtLast ? undefined : ((await batches.next()).value as TrainingBatch);
    waited += performance.now() - begin;
    const program = (isLast ? (batch ? programs.step : programs.idle) : programs.accumulate) as LoadedProgram;
    // The only replica's dropout goes on with the store's generator, whose state checkpoints hold; of several, each has a stream of its
    // own that follows from the step, so that it does not matter which process has it.
    if (count > 1 && batch) await programs.store.seed(dropoutSeed(seed, step, own[round] as number));
    const inputs = inputsOf(batch);
    const taken = program.program.inputs.map(({ name }) => [name, inputs[name] as HostArray] as const);
    outputs = await program.run(Object.fromEntries(taken));
  }
  // Checkpoints hold the generator's state, which must not tell which replica was the last one here.
  if (count > 1) await programs.store.seed(dropoutSeed(seed, step + 1, 0));
  return { outputs, waited };
}

/** The negative keys keep it apart from the streams of images and batches. */
const dropoutSeed = (seed: number, step: number, replica: number): number =>
  Math.floor(randomFor(seed, step, replica, -1, -3)() * 2 ** 32);
