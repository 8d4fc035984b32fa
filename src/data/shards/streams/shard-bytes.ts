/** The bytes of a shard that is read from its beginning: a file, an address, a command. What breaks off is gone on with. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { printable } from '../../../printable.ts';
import { StorageError } from '../../data-error.ts';
import type { Shard } from '../find-shards.ts';

export interface BytesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Waits before it is tried again; what has been received begins them anew. */
  readonly delaysMs?: readonly number[];
  /** Without a byte for so long, a connection counts as broken. */
  readonly idleMs?: number;
  /** Told of each new attempt. */
  readonly onRetry?: ((message: string) => void) | undefined;
}

/** Half a minute in all. */
const usualDelaysMs: readonly number[] = [200, 1000, 3000, 8000, 20_000];
const usualIdleMs = 60_000;

/** One attempt from a byte on. */
type Attempt = (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;

const attempts: { readonly [K in Shard['kind']]: (location: string) => Attempt } = {
  file: (path) => (start, signal) => createReadStream(path, { start, signal, highWaterMark: 2 ** 20 }),
  url: fetched,
  pipe: (command) => (offset, signal) => skipping(piped(command, signal), offset),
};

/** Trying again would give the same. */
class Refused extends StorageError {
  override name = 'StorageError';
}

/** @throws StorageError where it cannot be gone on with */
export async function* shardBytes(
  { kind, location }: Shard,
  { signal, delaysMs = usualDelaysMs, idleMs = usualIdleMs, onRetry }: BytesOptions = {},
): AsyncGenerator<Uint8Array> {
  const attempt = attempts[kind](location);
  let received = 0;
  for (let failures = 0; ; ) {
    const closing = new AbortController();
    const stop = () => closing.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    let timer: NodeJS.Timeout | undefined;
    const expectBytes = () => {
      clearTimeout(timer);
      timer = setTimeout(() => closing.abort(new Error(`nothing came for ${idleMs / 1000} s`)), idleMs);
    };
    try {
      signal?.throwIfAborted();
      expectBytes();
      for await (const piece of attempt(received, closing.signal)) {
        // While the bytes are worked on, nobody waits for the next.
        clearTimeout(timer);
        failures = 0;
        received += piece.length;
        yield piece;
        expectBytes();
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Refused) throw error;
      const reason = reasonOf(closing.signal.aborted ? closing.signal.reason : error);
      const delay = delaysMs[failures++];
      if (delay === undefined)
        throw new StorageError(
          `${location}: broke off at byte ${received} (${reason}), tried ${failures} times without another byte`,
          { cause: error },
        );
      onRetry?.(
        `${location}: broke off at byte ${received} (${reason}); going on from there in ${delay / 1000} s`,
      );
      await wait(delay, undefined, { ...(signal && { signal }) });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      closing.abort();
    }
  }
}

/** undici says 'fetch failed', and why in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const inner =
    cause instanceof Error
      ? `${message}: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`
      : message;
  return printable(inner, 300).replaceAll('\n', ' ');
}

function fetched(url: string): Attempt {
  let version: string | undefined;
  return async function* (offset, signal) {
    const headers = {
      // Compressed bytes have other offsets.
      'accept-encoding': 'identity',
      ...(offset > 0 && { range: `bytes=${offset}-`, ...(version && { 'if-range': version }) }),
    };
    const response = await fetch(url, { headers, signal });
    const { status, body } = response;
    const etag = response.headers.get('etag') ?? undefined;
    // A weak tag does not promise the same bytes.
    const strong = etag?.startsWith('W/') ? undefined : etag;
    if (offset > 0 && version !== undefined && strong !== undefined && strong !== version)
      throw new Refused(`${url}: has changed while it was read`);
    version ??= strong;
    if (
      status === 416 &&
      Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]) === offset
    )
      return;
    if (status !== 200 && status !== 206) {
      await body?.cancel();
      const message = `${url}: the server answers ${status} ${printable(response.statusText, 100)}`.trimEnd();
      const isPassing = status >= 500 || status === 429 || status === 408;
      throw isPassing ? new Error(message) : new Refused(message);
    }
    if (!body) return;
    const begin = status === 206 ? offset : 0;
    if (status === 206 && !response.headers.get('content-range')?.startsWith(`bytes ${offset}-`))
      throw new Refused(`${url}: the server gives other bytes than those asked for (from byte ${offset})`);
    const length = response.headers.get('content-length');
    let left = length === null ? undefined : Number(length);
    const counted = async function* () {
      for await (const piece of body) {
        if (left !== undefined) left -= piece.length;
        yield piece;
      }
      if (left !== undefined && left > 0) throw new Error(`${left} bytes are missing`);
    };
    yield* skipping(counted(), offset - begin);
  };
}

/** The output of a command of the shell; one that fails is an error, whatever it wrote before. */
async function* piped(command: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  const stop = () => {
    try {
      // The shell and what it has started.
      if (child.pid !== undefined && process.platform !== 'win32') process.kill(-child.pid);
      else child.kill();
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener('abort', stop, { once: true });
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    said = (said + piece).slice(-500);
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', ({ message }) => resolve(message));
    child.on('close', (code, by) => resolve(code === 0 ? undefined : `the command ended with ${code ?? by}`));
  });
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
    const problem = await ended;
    if (problem !== undefined) throw new Error(said.trim() === '' ? problem : `${problem}: ${said.trim()}`);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** Without the first bytes, which came before. */
async function* skipping(pieces: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const piece of pieces) {
    const rest = piece.subarray(Math.min(left, piece.length));
    left -= piece.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
