/** An inter-process lock: a file that names its holder and becomes stale soon after a crash. */
import { open, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process or call holds the lock. */
  readonly onWait?: (holder: string) => void;
  readonly pollMs?: number;
  /** A lock not touched for so long is stale; its holder touches it far more often. */
  readonly staleMs?: number;
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Runs the work while no other process or call holds the lock at this path, whose folder must exist. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const { staleMs = 60_000 } = options;
  const token = await acquire(path, { ...options, staleMs });
  const heartbeat = setInterval(() => void touch(path), staleMs / 6).unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    // A computer that was suspended may have lost the lock meanwhile.
    if ((await readHolder(path))?.text === token) await rm(path, { force: true });
  }
}

const touch = (path: string): Promise<void> => utimes(path, new Date(), new Date()).catch(() => undefined);

let acquisitions = 0;

async function acquire(
  path: string,
  { signal, onWait, pollMs = 200, staleMs, wait }: LockOptions & { readonly staleMs: number },
): Promise<string> {
  const token = `${process.pid} ${hostname()} ${acquisitions++}`;
  for (let notified = false; ; ) {
    signal?.throwIfAborted();
    if (await create(path, token)) return token;
    const holder = await readHolder(path);
    if (!holder) continue;
    if (isStale(holder, staleMs) && (await evict(path, staleMs))) continue;
    if (!notified) onWait?.(holder.text.split(' ')[0] ?? '');
    notified = true;
    await wait(pollMs, signal);
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

interface Holder {
  readonly text: string;
  readonly touchedMs: number;
}

/** undefined if the lock has just been released. Text and time are read through one handle: the path may change hands in between. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      return { text: await file.readFile('utf8'), touchedMs: (await file.stat()).mtimeMs };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isStale({ text, touchedMs }: Holder, staleMs: number): boolean {
  if (Date.now() - touchedMs > staleMs) return true;
  const [pid, host] = text.split(' ');
  return host === hostname() && !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Removes a stale lock; false while another process is about to. Guarded by a lock of its own: of two processes that find the
 * same stale lock, the slower would otherwise remove the lock that the faster has acquired since.
 */
async function evict(path: string, staleMs: number): Promise<boolean> {
  const guard = `${path}.evict`;
  if (!(await create(guard, ''))) {
    const evictor = await readHolder(guard);
    if (evictor && Date.now() - evictor.touchedMs > staleMs) await rm(guard, { force: true });
    return false;
  }
  try {
    const holder = await readHolder(path);
    if (holder && isStale(holder, staleMs)) await rm(path, { force: true });
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}
