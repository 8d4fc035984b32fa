/**
 * The command line in this process: a start of the built command takes most of a second of a processor, which a test of one
 * command's messages does not need. Colours, pipes, signals and what the built command itself is are tested with the process.
 */
import { runCommandLine } from '../src/cli/run-command-line.ts';

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a stream is given while `work` runs, instead of being written. */
function capture(stream: NodeJS.WriteStream): { readonly text: () => string; readonly end: () => void } {
  const { write } = stream;
  const written: string[] = [];
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    written.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const done = rest.find((each): each is () => void => typeof each === 'function');
    if (done) queueMicrotask(done);
    return true;
  }) as typeof stream.write;
  return {
    text: () => written.join(''),
    end: () => {
      stream.write = write;
    },
  };
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs a command to its end. One at a time: output and exit code are the process's. */
export async function inception(args: readonly string[]): Promise<Finished> {
  const before = process.exitCode;
  process.exitCode = undefined;
  const listeners = signals.map((signal) => process.listeners(signal));
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    await runCommandLine(args);
    return { status: Number(process.exitCode ?? 0), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.end();
    stderr.end();
    process.exitCode = before;
    // A training listens until its process ends.
    for (const [index, signal] of signals.entries())
      for (const listener of process.listeners(signal))
        if (!listeners[index]?.includes(listener)) process.off(signal, listener);
  }
}
