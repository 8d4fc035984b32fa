/**
 * The lock of a run folder: a file that names the process that trains in it. It is taken by one process only, whenever they start,
 * and a lock whose process is known to be gone is replaced.
 */
import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { RunError } from '../configuration/configuration.ts';

/** A process, so described that another one with the same number is not taken for it. */
export interface Holder {
  readonly pid: number;
  readonly host?: string;
  /** The host's start, where the system tells it. */
  readonly boot?: string;
  /** The process's start, in the system's own units, where it tells it. */
  readonly started?: string;
}

/** `unknown`: on another host, or it may be another process with the same number. */
export type HolderState = 'runs' | 'gone' | 'unknown';

/** Takes the lock. @throws RunError naming the process that has it, and the file to remove if it is known to have ended. */
export async function takeLock(path: string): Promise<void> {
  const id = randomUUID();
  const mine = `${path}.${id}.incomplete`;
  // With the id no two locks have the same text.
  await writeFile(mine, `${JSON.stringify({ ...(await describeProcess(process.pid)), id })}\n`);
  try {
    if (await claim(mine, path)) return;
    const text = (await readOptional(path)) ?? '';
    const holder = readHolder(text);
    if (holder === undefined || (await stateOf(holder)) !== 'gone') throw held(path, holder);
    await replaceLock(mine, { path, stale: text });
  } finally {
    await rm(mine, { force: true });
  }
}

/**
 * Only the process that has the file named by the stale lock may replace it; moving that file over the lock gives both up in one step.
 * If a process ended between the two, the next one is whoever has the file named by what that process left, and so on. The process that
 * has the lock removes what is left of these files when it begins.
 */
async function replaceLock(mine: string, { path, stale }: { path: string; stale: string }): Promise<void> {
  for (let gone = stale; ; ) {
    const next = nextLock(path, gone);
    if (await claim(mine, next)) {
      if ((await readOptional(path)) === stale) return rename(next, path);
      await rm(next, { force: true });
      throw held(path, readHolder((await readOptional(path)) ?? ''));
    }
    gone = (await readOptional(next)) ?? '';
    const holder = readHolder(gone);
    if (holder === undefined || (await stateOf(holder)) !== 'gone')
      throw new RunError(
        `${path}: another process is just taking over this run; if none is, remove ${next} and try again`,
      );
  }
}

/** The file of the one process that may replace a lock with this text. */
export const nextLock = (path: string, stale: string): string =>
  `${path}.${createHash('sha256').update(stale).digest('hex').slice(0, 36)}.incomplete`;

/** Gives the lock up if this process has it. */
export async function releaseLock(path: string): Promise<void> {
  const holder = readHolder((await readOptional(path)) ?? '');
  const me = await describeProcess(process.pid);
  if (holder?.pid === me.pid && (holder.host ?? me.host) === me.host) await rm(path, { force: true });
}

/** Whether a process is training here, as far as this host can know. */
export async function isLocked(path: string): Promise<boolean> {
  const text = await readOptional(path);
  if (text === undefined) return false;
  const holder = readHolder(text);
  return holder !== undefined && (await stateOf(holder)) !== 'gone';
}

/** The process that trains here, and what is known of it; undefined without a lock that is known here. */
export async function holderOf(
  path: string,
): Promise<{ readonly holder: Holder; readonly state: HolderState } | undefined> {
  const holder = readHolder((await readOptional(path)) ?? '');
  return holder && { holder, state: await stateOf(holder) };
}

/** Gives the file a second name, which fails if there is one: this is atomic, on NFS too. */
async function claim(file: string, path: string): Promise<boolean> {
  try {
    await link(file, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The process that has the lock removes files like this one when it begins.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    // File systems without links (exFAT, some shares).
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
  }
  try {
    await writeFile(path, await readFile(file), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const held = (path: string, holder: Holder | undefined): RunError =>
  new RunError(
    holder === undefined
      ? `${path}: not a lock that is known here; if no process is training in this folder, remove the file`
      : `${path}: process ${holder.pid}${holder.host !== undefined && holder.host !== hostname() ? ` on ${holder.host}` : ''} is training here; stop it first, or choose another folder. If it has ended, remove the file`,
  );

function readHolder(text: string): Holder | undefined {
  // Earlier versions wrote the number alone.
  if (/^[1-9]\d*\s*$/.test(text)) return { pid: Number(text) };
  try {
    const { pid, host, boot, started } = JSON.parse(text) as Record<string, unknown>;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return undefined;
    return {
      pid,
      ...(typeof host === 'string' && { host }),
      ...(typeof boot === 'string' && { boot }),
      ...(typeof started === 'string' && { started }),
    };
  } catch {
    return undefined;
  }
}

/** A process of this host. */
export async function describeProcess(pid: number): Promise<Holder> {
  const boot = (await readOptional('/proc/sys/kernel/random/boot_id'))?.trim();
  const started = await startOf(pid);
  return { pid, host: hostname(), ...(boot && { boot }), ...(started !== undefined && { started }) };
}

export async function stateOf({ pid, host = hostname(), boot, started }: Holder): Promise<HolderState> {
  if (host !== hostname()) return 'unknown';
  const now = await describeProcess(pid);
  // The host has been started anew since.
  if (boot !== undefined && now.boot !== undefined && boot !== now.boot) return 'gone';
  if (!isAlive(pid)) return 'gone';
  if (started !== undefined && now.started !== undefined) return started === now.started ? 'runs' : 'gone';
  return pid === process.pid ? 'gone' : 'unknown';
}

/** Field 22 of /proc/PID/stat; the process's name, which is field 2, may contain spaces and brackets. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readOptional(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
