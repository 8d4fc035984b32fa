/**
 * A command of `inception` as a process of its own. Experiments are made of them: what the report prints is what was run, each has the
 * threads and the memory to itself, and one that ends by an error or by the system takes no other along.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { builtProgram } from '../helper-process.ts';

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last line of its standard error. */
  readonly lastLine: string;
}

/** Runs it to its end; standard error is appended to `log`. Aborting asks it to save and stop, as Ctrl-C does. */
export async function runCommand(
  args: readonly string[],
  { log, signal }: { readonly log: string; readonly signal: AbortSignal },
): Promise<Ended> {
  await mkdir(dirname(log), { recursive: true });
  const file = createWriteStream(log, { flags: 'a' });
  // In a process group of its own: a terminal's Ctrl-C would reach it twice, and the second one stops without saving.
  const child = spawn(process.execPath, [builtProgram('cli/main'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = () => child.kill('SIGINT');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  let [stdout, tail] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    file.write(text);
    tail = (tail + text).slice(-4000);
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    return { code, stdout, lastLine: tail.trim().split('\n').at(-1) ?? '' };
  } finally {
    signal.removeEventListener('abort', stop);
    await new Promise((resolve) => file.end(resolve));
  }
}
