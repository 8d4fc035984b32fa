/** One process at a time: a lock file that names its holder and that outlives no crash for long. */
import { open, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, if the lock is another's. */
  readonly onWait?: (holder: string) => void;
  readonly pollMs?: number;
  /** The holder touches its file far more often than this; one that has not is gone. */
  readonly staleMs?: number;
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Does the work while no other process or call holds the lock at this path, whose folder must exist. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const { staleMs = 60_000 } = options;
  const mine = await acquire(path, { ...options, staleMs });
  const heartbeat = setInterval(() => void touch(path), staleMs / 6).unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    // A computer that slept may have lost the lock meanwhile.
    if ((await look(path))?.text === mine) await rm(path, { force: true });
  }
}

const touch = (path: string): Promise<void> => utimes(path, new Date(), new Date()).catch(() => undefined);

let taken = 0;

async function acquire(
  path: string,
  { signal, onWait, pollMs = 200, staleMs, wait }: LockOptions & { readonly staleMs: number },
): Promise<string> {
  const mine = `${process.pid} ${hostname()} ${taken++}`;
  for (let told = false; ; ) {
    signal?.throwIfAborted();
    if (await create(path, mine)) return mine;
    const holder = await look(path);
    if (!holder) continue;
    if (isGone(holder, staleMs) && (await evict(path, staleMs))) continue;
    if (!told) onWait?.(holder.text.split(' ')[0] ?? '');
    told = true;
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

/** undefined if the lock has just been given back. Through one handle: two paths may be two holders' files. */
async function look(path: string): Promise<Holder | undefined> {
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

function isGone({ text, touchedMs }: Holder, staleMs: number): boolean {
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
 * Removes the lock of a holder that is gone; false while another process is about to. Under a lock of its own: of two
 * that found the same old lock, the slower would remove the one that the faster has taken since.
 */
async function evict(path: string, staleMs: number): Promise<boolean> {
  const guard = `${path}.evict`;
  if (!(await create(guard, ''))) {
    const other = await look(guard);
    if (other && Date.now() - other.touchedMs > staleMs) await rm(guard, { force: true });
    return false;
  }
  try {
    const holder = await look(path);
    if (holder && isGone(holder, staleMs)) await rm(path, { force: true });
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}
