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
   * Refuses further work, waits for pending work, and frees all stores, programs and the thread.
   */
  close(): Promise<void>;
}
