/** The file in which torchrun's agent reads what a process failed of: it is shown in the agent's summary as the root cause. */
import { writeFileSync } from 'node:fs';
import { printable } from '../printable.ts';
import type { Environment } from './launcher.ts';

/** Writes the error where TORCHELASTIC_ERROR_FILE names a file; the first error of a process stays. Never throws: the error itself is what is to be said. */
export function recordError(error: unknown, env: Environment): void {
  const file = env.TORCHELASTIC_ERROR_FILE;
  if (!file) return;
  const { message } = error instanceof Error ? error : new Error(String(error));
  // The agent reads seconds, as a text.
  const extraInfo = { timestamp: String(Math.floor(Date.now() / 1000)) };
  try {
    writeFileSync(file, JSON.stringify({ message: { message: printable(message), extraInfo } }), {
      flag: 'wx',
    });
  } catch {
    // It is there already, or the folder is gone with the agent.
  }
}
