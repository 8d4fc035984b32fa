/**
 * What runs programs. Tensors live on the engine's side, in a store; JavaScript sends and receives typed arrays and
 * never holds a tensor.
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

/** An operator failed, memory ran out, or something released was used again. */
export class EngineError extends InceptionError {
  override name = 'EngineError';
}

/** libtorch, or the addon that calls it, is not on this machine. ONNX Runtime may predict instead. */
export class EngineUnavailableError extends EngineError {
  override name = 'EngineUnavailableError';
}

/** Tensors in the engine's memory, by name, with the state of a random generator. */
export interface Store {
  /** Names of all tensors and views. */
  readonly names: readonly string[];
  /**
   * Copies values into a tensor or view; `data` in C order of the view's shape.
   * @throws EngineError if there is no such name, or dtype or element count differ.
   */
  write(name: string, data: HostArray): Promise<void>;
  /** Copies a tensor or view out, in C order of its shape. */
  read(name: string): Promise<HostTensor>;
  /** Seeds the generator that random operators use. */
  seed(seed: number): Promise<void>;
  /** The generator's whole state; restoring it continues the same random numbers. */
  randomState(): Promise<Uint8Array>;
  setRandomState(state: Uint8Array): Promise<void>;
  /** Bytes of the store's own tensors. */
  readonly bytes: number;
  /** Frees the memory, once what is running on it is done. Any later use is an EngineError. */
  release(): void;
}

/** A program that is ready to run with one store. */
export interface LoadedProgram {
  readonly program: Program;
  /**
   * Runs every step off the main thread. Runs of one engine queue up in the order of the calls.
   * @throws EngineError naming the step, the layer and the shapes.
   */
  run(inputs: Readonly<Record<string, HostArray>>): Promise<Record<string, HostTensor>>;
  /** As `run`, but gives the microseconds that each step took instead of the outputs. */
  profile(inputs: Readonly<Record<string, HostArray>>): Promise<Float64Array>;
  /** Frees what the program holds. Its store stays. */
  release(): void;
}

export type Device = 'cpu' | 'cuda';

/** What an engine is and what its hardware has. */
export interface EngineFacts {
  readonly device: Device;
  /** libtorch's version: `1.13.1`. */
  readonly libtorch: string;
  /** The processor's or the graphics card's name. */
  readonly hardware: string;
  readonly threads: number;
  /** Whether bfloat16 is arithmetic of the hardware (AVX512_BF16, AMX, CUDA), not an emulation. */
  readonly fastBfloat16: boolean;
  /** Whether the native convolutions call oneDNN directly instead of through libtorch. */
  readonly oneDnn: boolean;
  /** Native kernels exist for the CPU; other devices run libtorch's. */
  readonly kernels: Kernels;
  /** For which our own operators are compiled and which this processor has, best last: portable, avx2, avx512. */
  readonly instructionSets: readonly string[];
}

/** What runs programs, on one device. */
export interface Engine {
  readonly facts: EngineFacts;
  createStore(spec: StoreSpec): Promise<Store>;
  /** Resolves each step's operator by its schema. @throws EngineError naming the step that does not fit. */
  load(program: Program, store: Store): Promise<LoadedProgram>;
  /**
   * Refuses further work, waits until everything that has been asked for is done, and frees all stores, programs and the
   * thread.
   */
  close(): Promise<void>;
}
