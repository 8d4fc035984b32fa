/** Who goes first when processors are short: answering, also that there is no room; then computing; then decoding. */
import { readdir } from 'node:fs/promises';
import { constants, getPriority, setPriority } from 'node:os';

/** Steps of niceness below the thread that answers. */
export const below = { computing: 5, decoding: 10 } as const;

/** Lowers another process, or on Linux a thread of this one, by so much below this thread. */
export function lowerPriority(id: number, by: number): void {
  try {
    // Relative: whoever started this process may have lowered it already, and only few may raise anything.
    setPriority(id, Math.min(constants.priority.PRIORITY_LOW, getPriority() + by));
  } catch {
    // It has ended, or the system does not let us. Nothing depends on it but who waits for whom.
  }
}

/** Does `work`, and lowers the threads that it leaves behind. Where the system has no list of threads, nothing is lowered. */
export async function withLowerThreads<T>(work: () => Promise<T>): Promise<T> {
  // This read is also what starts the threads by which Node.js reads files, which stay as they are.
  const before = new Set(await threads());
  const result = await work();
  for (const id of await threads()) if (!before.has(id)) lowerPriority(id, below.computing);
  return result;
}

async function threads(): Promise<number[]> {
  try {
    return (await readdir('/proc/self/task')).map(Number);
  } catch {
    return [];
  }
}
