/** The command line as a function: errors as one line, exit codes 0, 1 (failed), 2 (wrong usage). */
import { CommanderError } from 'commander';
import { recordError } from '../distributed/error-file.ts';
import { InceptionError, UsageError } from '../errors.ts';
import { createProgram } from './create-program.ts';
import { InterruptedError } from './usage.ts';

/** A file that cannot be read or written, a port in use: Node's message is clear enough. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** A limit on memory (`ulimit -v`, a container's): what Node.js says when it gets none. */
const isOutOfMemory = (error: unknown): boolean =>
  error instanceof RangeError &&
  /allocation failed|Invalid (typed )?array (buffer )?length/i.test(error.message);

/** Prints an error and returns the exit code. */
function report(error: unknown, { stack }: { stack: boolean }): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const expected = error instanceof InceptionError || isSystemError(error);
  const { message, stack: trace = message } = error instanceof Error ? error : new Error(String(error));
  const text =
    expected || isOutOfMemory(error)
      ? `${isOutOfMemory(error) ? 'out of memory: ' : ''}${stack ? trace : message}`
      : `unexpected error:\n${trace}`;
  process.stderr.write(`inception: ${text}\n`);
  if (error instanceof InterruptedError) return error.exitCode;
  recordError(error, process.env);
  return error instanceof UsageError ? 2 : 1;
}

/** Runs one command, and sets `process.exitCode` where it is not 0. `args` are those behind `inception`. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  const program = await createProgram(args);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, { stack: program.opts<{ stack?: boolean }>().stack ?? false });
  }
}
