/** Scheduling priorities: responding (also with a refusal) first, then computing, then decoding. */
import { readdir } from 'node:fs/promises';
import { constants, getPriority, setPriority } from 'node:os';

/** Niceness relative to the thread that answers requests. */
export const niceness = { computing: 5, decoding: 10 } as const;

/** Raises the nice value of another process, or on Linux of a thread of this process, relative to this thread. */
export function lowerPriority(id: number, steps: number): void {
  try {
    // Relative, because this process may have been started with a nice value, and only root may lower one.
    setPriority(id, Math.min(constants.priority.PRIORITY_LOW, getPriority() + steps));
  } catch {
    // The process has ended, or the system does not permit it. Only scheduling depends on it.
  }
}

/** Runs `work` and lowers the priority of the threads that it leaves behind. Does nothing on systems without a list of threads. */
export async function withLowerThreads<T>(work: () => Promise<T>): Promise<T> {
  // This read also starts Node.js's file system threads, which keep their priority.
  const before = new Set(await threads());
  const result = await work();
  for (const id of await threads()) if (!before.has(id)) lowerPriority(id, niceness.computing);
  return result;
}

async function threads(): Promise<number[]> {
  try {
    return (await readdir('/proc/self/task')).map(Number);
  } catch {
    return [];
  }
}
