/** An engine's group of processes, by c10d (native/group.h). */
import { setupCommand } from './addon-path.mjs';
import {
  type BucketTraffic,
  type Device,
  EngineError,
  type EngineFacts,
  type GroupOptions,
  type Store,
  type TensorGroup,
  type Traffic,
} from './engine.ts';
import { type Handle, type Native, settle } from './native.ts';

/** What carries tensors of a device between processes, by what the addon was built with. */
export function collectivesOf(
  device: Device,
  { gloo, nccl }: { readonly gloo: boolean; readonly nccl: boolean },
): Pick<EngineFacts, 'collectives' | 'whyAlone'> {
  if (device === 'cpu' && gloo) return { collectives: 'gloo' };
  if (device === 'cuda' && nccl) return { collectives: 'nccl' };
  const missing =
    device === 'cpu'
      ? `Gloo: its headers were not found, or this libtorch has no c10d; on Debian and Ubuntu: apt-get install libgloo-dev`
      : `NCCL: its headers or CUDA's were not found, or this libtorch has no c10d; a CUDA toolkit with NCCL has them, and so have pip's nvidia-nccl-cu13 and nvidia-cuda-crt`;
  return {
    collectives: undefined,
    whyAlone: `the native addon was built without ${missing}, then '${setupCommand}'`,
  };
}

interface Joining {
  readonly engine: Handle;
  readonly facts: EngineFacts;
}

function expectCollectives({ collectives, whyAlone }: EngineFacts): void {
  if (!collectives) throw new EngineError(`this process can only work alone: ${whyAlone}`);
}

export async function serveStore(native: Native, { engine, facts }: Joining): Promise<number> {
  expectCollectives(facts);
  return settle(native.serveStore(engine));
}

export async function joinGroup(
  native: Native,
  {
    engine,
    facts,
    handleOf,
    options,
  }: Joining & { handleOf: (store: Store) => Handle; options: GroupOptions },
): Promise<TensorGroup> {
  expectCollectives(facts);
  checkGroupOptions(options);
  const { rank, size, host, port, address, interface: networkInterface, signal } = options;
  const handle = createGroup(native, engine, {
    rank,
    size,
    host,
    port,
    address,
    ...(networkInterface && { interface: networkInterface }),
  });
  const group = new TorchGroup(native, { engine, handle, handleOf, rank, size });
  if (signal) group.abortOn(signal);
  try {
    await settle(native.joinGroup(engine, handle));
  } catch (error) {
    await group.leave();
    throw error;
  }
  return group;
}

function createGroup(native: Native, engine: Handle, spec: Parameters<Native['createGroup']>[1]): Handle {
  try {
    return native.createGroup(engine, spec);
  } catch (error) {
    throw new EngineError((error as Error).message, { cause: error });
  }
}

function checkGroupOptions({ rank, size, host, port, address }: GroupOptions): void {
  const whole = (name: string, value: number, { from, to }: { from: number; to: number }) => {
    if (Number.isInteger(value) && value >= from && value <= to) return;
    throw new EngineError(
      `group option '${name}': expected a whole number from ${from} to ${to}, received ${value}`,
    );
  };
  whole('size', size, { from: 1, to: 65536 });
  whole('rank', rank, { from: 0, to: size - 1 });
  whole('port', port, { from: 1, to: 65535 });
  for (const [name, value] of Object.entries({ host, address })) {
    if (value === '')
      throw new EngineError(`group option '${name}': expected a name or an address, received ''`);
  }
}

class TorchGroup implements TensorGroup {
  readonly rank: number;
  readonly size: number;
  readonly #native: Native;
  readonly #engine: Handle;
  readonly #handle: Handle;
  readonly #handleOf: (store: Store) => Handle;
  #left: Promise<void> | undefined;
  #ignoreSignal = () => {};

  constructor(
    native: Native,
    {
      engine,
      handle,
      handleOf,
      rank,
      size,
    }: {
      engine: Handle;
      handle: Handle;
      handleOf: (store: Store) => Handle;
      rank: number;
      size: number;
    },
  ) {
    this.#native = native;
    this.#engine = engine;
    this.#handle = handle;
    this.#handleOf = handleOf;
    this.rank = rank;
    this.size = size;
  }

  abortOn(signal: AbortSignal): void {
    const abort = () =>
      this.abort(signal.reason instanceof Error ? signal.reason.message : String(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    this.#ignoreSignal = () => signal.removeEventListener('abort', abort);
  }

  async broadcast(store: Store, name: string): Promise<void> {
    if (!store.names.includes(name)) throw new EngineError(`the store has no tensor '${name}'`);
    await settle(this.#native.broadcast(this.#engine, this.#handle, this.#handleOf(store), name));
  }

  traffic(): Traffic {
    const buckets = this.#native.traffic(this.#handle);
    const sum = (of: (bucket: BucketTraffic) => number) =>
      buckets.reduce((total, each) => total + of(each), 0);
    return {
      bytes: sum(({ bytes }) => bytes),
      busyMs: sum(({ busyMs }) => busyMs),
      exposedMs: sum(({ exposedMs }) => exposedMs),
      buckets,
    };
  }

  abort(reason: string): void {
    this.#native.abortGroup(this.#handle, reason);
  }

  leave(): Promise<void> {
    this.#ignoreSignal();
    this.#left ??= settle(this.#native.leaveGroup(this.#engine, this.#handle));
    return this.#left;
  }
}
