/**
 * The interface of an engine, which runs programs. Tensors live in the engine's store; JavaScript sends and receives typed
 * arrays and never holds a tensor.
 */

import type { Kernels } from '../compile/options.ts';
import type { DType, Program, StoreSpec } from '../compile/program.ts';
import { InceptionError } from '../errors.ts';

/** Host memory of a tensor: float32, bfloat16 (as its 16 bits), int64, uint8, bool (as 0 and 1). */
export type HostArray = Float32Array | Uint16Array | BigInt64Array | Uint8Array;

/** A tensor in JavaScript's memory. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In C order of `shape`. */
  readonly data: HostArray;
}

/** An operator failed, memory ran out, or a released object was used. */
export class EngineError extends InceptionError {
  override name = 'EngineError';
}

/** There was not enough memory on the device. */
export class OutOfMemoryError extends EngineError {
  override name = 'OutOfMemoryError';
}

/** libtorch or the native addon is not installed, or the addon is of another version. ONNX Runtime can predict instead. */
export class EngineUnavailableError extends EngineError {
  override name = 'EngineUnavailableError';
}

/** A process of the group is lost, or the group was aborted: this process cannot go on in it. */
export class GroupError extends EngineError {
  override name = 'GroupError';
}

/** Tensors in the engine's memory, by name, with the state of a random generator. */
export interface Store {
  /** Names of all tensors and views. */
  readonly names: readonly string[];
  /**
   * Copies values into a tensor or view; `data` in C order of its shape.
   * @throws EngineError if the name is unknown, or dtype or element count differ.
   */
  write(name: string, data: HostArray): Promise<void>;
  /** Copies a tensor or view out, in C order of its shape. */
  read(name: string): Promise<HostTensor>;
  /** XXH64 of a tensor's or view's bytes, in C order of its shape, as 16 hexadecimal digits. */
  checksum(name: string): Promise<string>;
  /** Seeds the generator that random operators use. */
  seed(seed: number): Promise<void>;
  /** The generator's full state; restoring it continues the same random sequence. */
  randomState(): Promise<Uint8Array>;
  setRandomState(state: Uint8Array): Promise<void>;
  /** Bytes of the tensors in the store's spec. */
  readonly bytes: number;
  /** Frees the memory after running work finishes. Any later use throws an EngineError. */
  release(): void;
}

/** A program bound to one store and ready to run. */
export interface LoadedProgram {
  readonly program: Program;
  /**
   * Runs every step off the main thread. Runs of one engine queue in call order.
   * @throws EngineError naming the step, the layer and the shapes.
   */
  run(inputs: Readonly<Record<string, HostArray>>): Promise<Record<string, HostTensor>>;
  /** As `run`, but returns the microseconds of each step instead of the outputs. */
  profile(inputs: Readonly<Record<string, HostArray>>): Promise<Float64Array>;
  /** Frees the program, but not its store. */
  release(): void;
}

export type Device = 'cpu' | 'cuda';

/** An engine's device, version and hardware capabilities. */
export interface EngineFacts {
  readonly device: Device;
  /** libtorch's version: `1.13.1`. */
  readonly libtorch: string;
  /** Name of the processor or GPU. */
  readonly hardware: string;
  readonly threads: number;
  /** Whether the hardware has bfloat16 arithmetic (AVX512_BF16, AMX, CUDA) instead of emulating it. */
  readonly fastBfloat16: boolean;
  /** Whether the native convolutions call oneDNN directly instead of through libtorch. */
  readonly oneDnn: boolean;
  /** Native kernels exist for the CPU; other devices run libtorch's. */
  readonly kernels: Kernels;
  /** Instruction sets of the native operators that this processor supports, best last: portable, avx2, avx512. */
  readonly instructionSets: readonly string[];
  /** What carries tensors between processes: c10d's Gloo on the CPU, NCCL on CUDA. Undefined if this process can only work alone. */
  readonly collectives: 'gloo' | 'nccl' | undefined;
  /** Where `collectives` is undefined, the reason and what to do. */
  readonly whyAlone?: string;
}

/** A process's place among those that train together, and how they find each other. */
export interface GroupOptions {
  /** 0 to `size` − 1, each once. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Where rank 0 serves the store: its address as the other processes reach it, and the port that `serveStore` gave. */
  readonly host: string;
  readonly port: number;
  /** The local address by which other processes reach this one. */
  readonly address: string;
  /** The network interface by which they do, instead of the address: `eth0`. */
  readonly interface?: string;
  /** Aborts the group, at any moment, also while it is being joined; the message of its reason is part of the errors that follow. */
  readonly signal?: AbortSignal;
}

/** What a bucket of gradients has cost since the group was joined. */
export interface BucketTraffic {
  /** The bucket's number in the program; −1 for `inception::gather_all` and `broadcast`. */
  readonly bucket: number;
  /** Bytes that this process has sent. */
  readonly bytes: number;
  /** Milliseconds on the threads that communicate, waiting for other processes included. */
  readonly busyMs: number;
  /** Milliseconds for which programs waited; the rest of `busyMs` was hidden behind their other steps. */
  readonly exposedMs: number;
}

/** Sums over all buckets, and each bucket's. */
export interface Traffic extends Omit<BucketTraffic, 'bucket'> {
  readonly buckets: readonly BucketTraffic[];
}

/**
 * Connections to the other processes, used by the operators `inception::accumulate_`, `share_`, `wait_` and `gather_all` of every
 * program of the engine. All processes run the same such steps in the same order. As soon as a process is lost, or `abort` is
 * called, whatever waits ends with a GroupError.
 */
export interface TensorGroup {
  readonly rank: number;
  readonly size: number;
  /** Overwrites a tensor of every process's store by that of rank 0; all processes call it. @throws GroupError */
  broadcast(store: Store, name: string): Promise<void>;
  /** Bytes and times since the group was joined. */
  traffic(): Traffic;
  /** Ends all waiting now. No later step with another process succeeds. */
  abort(reason: string): void;
  /** Closes the connections after the work before it; programs then run as if there was no group. Does not wait for others. */
  leave(): Promise<void>;
}

/** Runs programs on one device. */
export interface Engine {
  readonly facts: EngineFacts;
  /**
   * Milliseconds for which the result that was given last had been there: this thread was busy with something else, such as images.
   */
  readonly lateMs: number;
  createStore(spec: StoreSpec): Promise<Store>;
  /** Resolves each step's operator by its schema. @throws EngineError naming the step that does not match. */
  load(program: Program, store: Store): Promise<LoadedProgram>;
  /**
   * In the process of rank 0, before anyone joins: serves the store by which the processes find each other, until the engine
   * leaves the group or is closed. @returns its port @throws EngineError where `facts.collectives` is undefined
   */
  serveStore(): Promise<number>;
  /**
   * Connects to the other processes, which do the same; resolves when all are connected.
   * @throws EngineError if an option is wrong, the engine is in a group already, or `facts.collectives` is undefined; GroupError if
   * not all can be reached or the signal aborts it
   */
  join(options: GroupOptions): Promise<TensorGroup>;
  /**
   * Refuses further work, waits for pending work, and frees all stores, programs and the thread.
   */
  close(): Promise<void>;
}
