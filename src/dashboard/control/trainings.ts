/** Trainings that are started and stopped from the page. They are processes of their own, which outlive the dashboard. */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InceptionError } from '../../errors.ts';
import { RunFolder } from '../../train/run/run-folder.ts';

/** What was asked for cannot be done: the run is not training, or the training ended at once. */
export class ControlError extends InceptionError {
  override name = 'ControlError';
  /** Of the response. */
  readonly statusCode = 409;
}

/** The built command line; tests run the sources, and these processes the build. */
const command = fileURLToPath(new URL('../../../bin/inception', import.meta.url));

/** What the training prints, in its run folder. */
export const outputFile = 'output.log';

const patienceMs = 60_000;
const pollMs = 100;

/** Characters of the output that an error repeats. */
const maxTail = 2000;

/**
 * Starts `inception train` with these arguments for a run folder, and waits until it trains there.
 * @throws ControlError with the end of its output if it ends before
 */
export async function startTraining(
  args: readonly string[],
  { folder }: { readonly folder: string },
): Promise<void> {
  const run = new RunFolder(folder);
  if (await run.isTraining()) throw new ControlError('a process is training there already');
  const path = join(folder, outputFile);
  const file = await open(path, 'a');
  const { size } = await file.stat();
  const child = spawn(process.execPath, [command, 'train', ...args], {
    detached: true,
    stdio: ['ignore', file.fd, file.fd],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let ended: string | undefined;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended = `it ended with ${signal ?? code}`;
  });
  child.unref();
  await file.close();
  for (let waited = 0; waited < patienceMs; waited += pollMs) {
    if ((await run.isTraining()) || (ended !== undefined && (await isWhole(run)))) return;
    if (ended !== undefined) {
      const output = (await readFile(path)).subarray(size).toString('utf8').trim();
      throw new ControlError(`the training did not begin: ${output.slice(-maxTail) || ended}`);
    }
    await wait(pollMs);
  }
}

/** A probe may be done before anybody has looked. */
const isWhole = async (run: RunFolder): Promise<boolean> =>
  (await readFile(run.file('model.safetensors')).catch(() => undefined)) !== undefined;

/**
 * Asks the process that trains in a folder to save a checkpoint and end, as Ctrl-C does.
 * @throws ControlError if none does, or if it cannot be known from this host which process it is
 */
export async function stopTraining(folder: string): Promise<void> {
  const held = await new RunFolder(folder).holder();
  if (!held || held.state === 'gone') throw new ControlError('no process is training there');
  const { holder, state } = held;
  if (state === 'unknown') {
    const where = holder.host !== undefined && holder.host !== hostname() ? ` on ${holder.host}` : '';
    throw new ControlError(
      `process ${holder.pid}${where} is training there, and cannot be signalled from here with certainty; stop it with Ctrl-C where it runs`,
    );
  }
  process.kill(holder.pid, 'SIGINT');
}
