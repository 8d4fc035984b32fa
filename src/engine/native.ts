/** The functions of the native addon: loads and checks it, and turns the errors of its jobs into EngineErrors. */
import { createRequire } from 'node:module';
import type { DType, Program, StoreSpec } from '../compile/program.ts';
import { addonPath, setupCommand } from './addon-path.mjs';
import {
  type BucketTraffic,
  EngineError,
  EngineUnavailableError,
  GroupError,
  type HostArray,
  type HostTensor,
  OutOfMemoryError,
} from './engine.ts';

export type Handle = { readonly brand: unique symbol };

export interface NativeFacts {
  readonly libtorch: string;
  readonly cuda: boolean;
  readonly fastBfloat16: boolean;
  readonly cores: number;
  readonly instructionSets: readonly string[];
  readonly oneDnn: boolean;
  readonly gloo: boolean;
  readonly nccl: boolean;
}

/** A process's place in a group, and how to reach the others. */
export interface NativeGroupSpec {
  readonly rank: number;
  readonly size: number;
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly interface?: string;
}

/** The functions that native/addon.cc registers. */
export interface Native {
  facts(): NativeFacts;
  useInstructionSet(name: string): void;
  createEngine(device: string, threads: number): Handle;
  createStore(engine: Handle, spec: StoreSpec): Promise<Handle>;
  loadProgram(engine: Handle, store: Handle, program: Program): Promise<Handle>;
  runProgram(
    engine: Handle,
    program: Handle,
    inputs: readonly HostArray[],
    profile: boolean,
  ): Promise<{ outputs: Record<string, HostTensor>; stepMicroseconds: Float64Array }>;
  writeStore(engine: Handle, store: Handle, name: string, values: HostArray, dtype: DType): Promise<void>;
  readStore(engine: Handle, store: Handle, name: string): Promise<HostTensor>;
  seedStore(engine: Handle, store: Handle, seed: number): Promise<void>;
  readRandomState(engine: Handle, store: Handle): Promise<HostTensor>;
  writeRandomState(engine: Handle, store: Handle, state: Uint8Array): Promise<void>;
  checksum(engine: Handle, store: Handle, name: string): Promise<string>;
  serveStore(engine: Handle): Promise<number>;
  createGroup(engine: Handle, spec: NativeGroupSpec): Handle;
  joinGroup(engine: Handle, group: Handle): Promise<void>;
  broadcast(engine: Handle, group: Handle, store: Handle, name: string): Promise<void>;
  traffic(group: Handle): readonly BucketTraffic[];
  abortGroup(group: Handle, reason: string): void;
  leaveGroup(engine: Handle, group: Handle): Promise<void>;
  storeBytes(store: Handle): number;
  lateMs(engine: Handle): number;
  releaseStore(engine: Handle, store: Handle): void;
  releaseProgram(engine: Handle, program: Handle): void;
  closeEngine(engine: Handle): Promise<void>;
}

/** The names of its functions: the compiler says when one is missing here. */
const nativeFunctions: Readonly<Record<keyof Native, true>> = {
  facts: true,
  useInstructionSet: true,
  createEngine: true,
  createStore: true,
  loadProgram: true,
  runProgram: true,
  writeStore: true,
  readStore: true,
  seedStore: true,
  readRandomState: true,
  writeRandomState: true,
  checksum: true,
  serveStore: true,
  createGroup: true,
  joinGroup: true,
  broadcast: true,
  traffic: true,
  abortGroup: true,
  leaveGroup: true,
  storeBytes: true,
  lateMs: true,
  releaseStore: true,
  releaseProgram: true,
  closeEngine: true,
};

let loaded: Native | undefined;

export function loadNative(): Native {
  loaded ??= checkExports(requireAddon());
  return loaded;
}

/** What an addon exports. @throws EngineUnavailableError for one that another version of the package built. */
export function checkExports(exported: object): Native {
  const missing = Object.keys(nativeFunctions).filter((name) => !(name in exported));
  if (missing.length > 0)
    throw new EngineUnavailableError(
      `the native addon is of another version of this package: it has no ${missing.join(', ')}; '${setupCommand}' builds it anew`,
    );
  return exported as Native;
}

function requireAddon(): object {
  try {
    return createRequire(import.meta.url)(addonPath());
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new EngineUnavailableError(
      `libtorch is not set up: the native addon cannot be loaded (${reason}); '${setupCommand}' builds it, 'inception doctor' says what is missing`,
      { cause: error },
    );
  }
}

/** Awaits a native job; a rejection becomes an EngineError with the caller's stack. */
export async function settle<T>(job: Promise<T>): Promise<T> {
  try {
    return await job;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const Failure = isOutOfMemory(message) ? OutOfMemoryError : isOfGroup(message) ? GroupError : EngineError;
    throw new Failure(message, { cause: error });
  }
}

/** In libtorch's words for the processor and for CUDA, in the addon's, and in oneDNN's. */
const isOutOfMemory = (message: string): boolean =>
  /out of memory|can't allocate memory|not enough memory|bad_alloc/i.test(message);

/** In the words of native/group-gloo.cc and native/group-nccl.cc. */
const isOfGroup = (message: string): boolean =>
  /the group (has lost|has failed|was aborted)|cannot join the group|has left the group/.test(message);
