/** The libtorch engine: checks the arguments of the native addon. */
import { cpus } from 'node:os';
import { checkProgram, type DType, type Program, type StoreSpec } from '../compile/program.ts';
import { checkOptions } from '../option.ts';
import {
  type Device,
  type Engine,
  EngineError,
  type EngineFacts,
  type GroupOptions,
  type HostArray,
  type HostTensor,
  type LoadedProgram,
  type Store,
  type TensorGroup,
} from './engine.ts';
import { threads as threadsOption } from './engine-options.ts';
import { type Handle, loadNative, type Native, settle } from './native.ts';
import { collectivesOf, joinGroup, serveStore } from './torch-group.ts';

/** Device, threads and instruction set of a libtorch engine. */
export interface TorchOptions {
  /** 'auto' uses CUDA where available. Default 'auto'. */
  readonly device?: Device | 'auto';
  /** Threads per operator. Default: every core that this process may use. */
  readonly threads?: number;
  /**
   * Instruction set of the native operators, one of `facts.instructionSets`, to test the code paths of other processors.
   * Applies to the whole process. Default: the best.
   */
  readonly instructionSet?: string;
}

/**
 * Opens an engine on libtorch.
 * @throws EngineUnavailableError if the addon is not built, or by another version of the package; EngineError if the device is not
 * available or a number of threads is none.
 */
export function openTorch({ device = 'auto', threads, instructionSet }: TorchOptions = {}): Engine {
  checkOptions({ threads: threadsOption }, { threads }, { what: 'engine option', Failure: EngineError });
  const native = loadNative();
  const { libtorch, cuda, fastBfloat16, cores, oneDnn, instructionSets, ...carriers } = native.facts();
  const chosenSet = instructionSet ?? (instructionSets.at(-1) as string);
  if (!instructionSets.includes(chosenSet)) {
    throw new EngineError(
      `instruction set '${chosenSet}': this processor supports ${instructionSets.join(', ')}`,
    );
  }
  native.useInstructionSet(chosenSet);
  if (device === 'cuda' && !cuda) {
    throw new EngineError(
      `device 'cuda': libtorch ${libtorch} finds no CUDA device; use --device cpu, or set LIBTORCH to a CUDA build`,
    );
  }
  const resolvedDevice: Device = device === 'auto' ? (cuda ? 'cuda' : 'cpu') : device;
  const facts: EngineFacts = {
    device: resolvedDevice,
    libtorch,
    hardware: resolvedDevice === 'cuda' ? 'CUDA device 0' : (cpus()[0]?.model ?? 'unknown processor'),
    threads: threads ?? cores,
    fastBfloat16: resolvedDevice === 'cuda' || fastBfloat16,
    oneDnn,
    instructionSets,
    kernels: resolvedDevice === 'cpu' ? 'native' : 'aten',
    ...collectivesOf(resolvedDevice, carriers),
  };
  return new TorchEngine(native, native.createEngine(resolvedDevice, facts.threads), facts);
}

class TorchEngine implements Engine {
  readonly facts: EngineFacts;
  readonly #native: Native;
  #handle: Handle | undefined;
  #closed: Promise<void> | undefined;
  /** Stores and programs that have not been released. */
  readonly #open = new Set<{ release(): void }>();

  constructor(native: Native, handle: Handle, facts: EngineFacts) {
    this.#native = native;
    this.#handle = handle;
    this.facts = facts;
  }

  #live(): Handle {
    if (!this.#handle) throw new EngineError('this engine has been closed');
    return this.#handle;
  }

  #storeOf(store: Store): TorchStore {
    if (!(store instanceof TorchStore))
      throw new EngineError('the store belongs to a different kind of engine');
    return store;
  }

  get lateMs(): number {
    return this.#native.lateMs(this.#live());
  }

  async createStore(spec: StoreSpec): Promise<Store> {
    const engine = this.#live();
    const handle = await settle(this.#native.createStore(engine, spec));
    this.#live();
    const store = new TorchStore(this.#native, {
      engine,
      handle,
      spec,
      onRelease: () => this.#open.delete(store),
    });
    this.#open.add(store);
    return store;
  }

  async load(program: Program, store: Store): Promise<LoadedProgram> {
    const engine = this.#live();
    const torchStore = this.#storeOf(store);
    checkProgram(program, torchStore.spec);
    const handle = await settle(this.#native.loadProgram(engine, torchStore.live(), program));
    this.#live();
    const loadedProgram = new TorchProgram(this.#native, {
      engine,
      handle,
      program,
      store: torchStore,
      onRelease: () => this.#open.delete(loadedProgram),
    });
    this.#open.add(loadedProgram);
    return loadedProgram;
  }

  serveStore(): Promise<number> {
    return serveStore(this.#native, { engine: this.#live(), facts: this.facts });
  }

  join(options: GroupOptions): Promise<TensorGroup> {
    const handleOf = (store: Store): Handle => {
      this.#live();
      return this.#storeOf(store).live();
    };
    return joinGroup(this.#native, { engine: this.#live(), facts: this.facts, handleOf, options });
  }

  close(): Promise<void> {
    const engine = this.#handle;
    if (engine) {
      this.#handle = undefined;
      for (const resource of this.#open) resource.release();
      this.#closed = settle(this.#native.closeEngine(engine));
    }
    return this.#closed ?? Promise.resolve();
  }
}

class TorchStore implements Store {
  readonly names: readonly string[];
  readonly bytes: number;
  readonly spec: StoreSpec;
  readonly #native: Native;
  readonly #engine: Handle;
  readonly #onRelease: () => void;
  readonly #entries: ReadonlyMap<string, { readonly dtype: DType; readonly shape: readonly number[] }>;
  #handle: Handle | undefined;

  constructor(
    native: Native,
    {
      engine,
      handle,
      spec,
      onRelease,
    }: { engine: Handle; handle: Handle; spec: StoreSpec; onRelease: () => void },
  ) {
    this.#native = native;
    this.#engine = engine;
    this.#onRelease = onRelease;
    this.#handle = handle;
    this.spec = spec;
    const tensors = new Map(spec.tensors.map((tensor) => [tensor.name, tensor]));
    const views = spec.views.map(
      ({ name, of, shape }) => [name, { dtype: tensors.get(of)?.dtype ?? 'float32', shape }] as const,
    );
    this.#entries = new Map([...tensors, ...views]);
    this.names = [...this.#entries.keys()];
    this.bytes = native.storeBytes(handle);
  }

  live(): Handle {
    if (!this.#handle) throw new EngineError('this store has been released; its tensors are gone');
    return this.#handle;
  }

  #entry(name: string) {
    const entry = this.#entries.get(name);
    if (!entry) throw new EngineError(`the store has no tensor '${name}'`);
    return entry;
  }

  async write(name: string, data: HostArray): Promise<void> {
    const handle = this.live();
    const { dtype, shape } = this.#entry(name);
    checkArray(`store tensor '${name}'`, data, { dtype, shape });
    await settle(this.#native.writeStore(this.#engine, handle, name, data, dtype));
  }

  async read(name: string): Promise<HostTensor> {
    const handle = this.live();
    this.#entry(name);
    return settle(this.#native.readStore(this.#engine, handle, name));
  }

  async checksum(name: string): Promise<string> {
    const handle = this.live();
    this.#entry(name);
    return settle(this.#native.checksum(this.#engine, handle, name));
  }

  async seed(seed: number): Promise<void> {
    const handle = this.live();
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new EngineError(`seed: expected a whole number of at least 0, received ${seed}`);
    }
    await settle(this.#native.seedStore(this.#engine, handle, seed));
  }

  async randomState(): Promise<Uint8Array> {
    const { data } = await settle(this.#native.readRandomState(this.#engine, this.live()));
    return data as Uint8Array;
  }

  async setRandomState(state: Uint8Array): Promise<void> {
    const handle = this.live();
    await settle(this.#native.writeRandomState(this.#engine, handle, state));
  }

  release(): void {
    if (!this.#handle) return;
    this.#native.releaseStore(this.#engine, this.#handle);
    this.#handle = undefined;
    this.#onRelease();
  }
}

class TorchProgram implements LoadedProgram {
  readonly program: Program;
  readonly #native: Native;
  readonly #engine: Handle;
  readonly #store: TorchStore;
  readonly #onRelease: () => void;
  #handle: Handle | undefined;

  constructor(
    native: Native,
    {
      engine,
      handle,
      program,
      store,
      onRelease,
    }: { engine: Handle; handle: Handle; program: Program; store: TorchStore; onRelease: () => void },
  ) {
    this.#native = native;
    this.#engine = engine;
    this.#onRelease = onRelease;
    this.#handle = handle;
    this.#store = store;
    this.program = program;
  }

  async run(inputs: Readonly<Record<string, HostArray>>): Promise<Record<string, HostTensor>> {
    return (await this.#run(inputs, { profile: false })).outputs;
  }

  async profile(inputs: Readonly<Record<string, HostArray>>): Promise<Float64Array> {
    return (await this.#run(inputs, { profile: true })).stepMicroseconds;
  }

  async #run(inputs: Readonly<Record<string, HostArray>>, { profile }: { profile: boolean }) {
    const { name } = this.program;
    if (!this.#handle) throw new EngineError(`${name}: this program has been released`);
    this.#store.live();
    for (const key of Object.keys(inputs)) {
      if (!this.program.inputs.some((input) => input.name === key)) {
        const known = this.program.inputs.map((input) => input.name).join(', ') || 'no inputs';
        throw new EngineError(`${name}: unknown input '${key}'; the program takes ${known}`);
      }
    }
    const arrays = this.program.inputs.map((input) => {
      const data = inputs[input.name];
      if (!data) throw new EngineError(`${name}: input '${input.name}' is missing`);
      checkArray(`${name}: input '${input.name}'`, data, input);
      return data;
    });
    return settle(this.#native.runProgram(this.#engine, this.#handle, arrays, profile));
  }

  release(): void {
    if (!this.#handle) return;
    this.#native.releaseProgram(this.#engine, this.#handle);
    this.#handle = undefined;
    this.#onRelease();
  }
}

const arrayTypes: Readonly<Record<DType, new (length: number) => HostArray>> = {
  float32: Float32Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

function checkArray(
  what: string,
  data: HostArray,
  { dtype, shape }: { dtype: DType; shape: readonly number[] },
): void {
  const expected = arrayTypes[dtype];
  const count = shape.reduce((product, size) => product * size, 1);
  if (data instanceof expected && data.length === count) return;
  throw new EngineError(
    `${what}: expected a ${expected.name} of ${count} elements (${dtype} [${shape.join(', ')}]), received a ${data.constructor.name} of ${data.length}`,
  );
}
