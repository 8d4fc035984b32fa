/** Runs other programs quietly and reports failures. Plain JavaScript: `npm run setup` runs before TypeScript is installed. */
import { spawnSync } from 'node:child_process';

/** The set-up cannot continue; the message says why and what to do. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
}

/** Prints a line to standard error. @param {string} line */
export const say = (line) => void process.stderr.write(`${line}\n`);

/**
 * Runs a command and returns its output; on failure the error includes the end of the output.
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd?: string, advice?: string, visible?: boolean }} [options] `visible` if it may ask for a password
 * @throws {SetupError} if it cannot be started or fails
 */
export function run(command, args, { cwd, advice, visible = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: visible ? ['inherit', 'pipe', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  if (result.status === 0) return result.stdout;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  const end = output.trimEnd().split('\n').slice(-25).join('\n');
  throw new SetupError(`'${[command, ...args].join(' ')}' failed:\n${end}${advice ? `\n${advice}` : ''}`);
}

/** The output of a command without trailing white space, or undefined if it fails. @param {string} command @param {readonly string[]} args */
export function outputOf(command, args) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trimEnd() : undefined;
}
