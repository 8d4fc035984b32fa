/** One side of a comparison: a process that runs a step per request line and replies with its time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { BenchError } from './bench-error.ts';

export interface SideCommand {
  /** `ours`, `floor`, or a peer's name. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * Wall time, or CPU time of all threads, which is reliable even on a busy machine: waiting threads then sleep instead of
 * spinning, on every side.
 */
export type Clock = 'wall' | 'processor';

interface Start {
  readonly threads: number;
  readonly clock: Clock;
  /** CPUs that are left to other sides, which run at the same time. Default 0: sides take turns on the same ones. */
  readonly skip?: number;
}

export class Side {
  readonly name: string;
  /** What runs there, with its version. */
  about = '';
  /** Output of the first step: logits, or the loss. */
  output: readonly number[] = [];
  /** The whole first reply. */
  first: Readonly<Record<string, unknown>> = {};
  readonly #clock: Clock;
  readonly #process: ChildProcess;
  readonly #replies: AsyncIterator<string>;
  readonly #lines: Interface;
  #errorOutput = '';

  // Private: a side exists only once its first reply has arrived.
  private constructor(name: string, clock: Clock, process: ChildProcess) {
    this.name = name;
    this.#clock = clock;
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout as NodeJS.ReadableStream });
    this.#replies = this.#lines[Symbol.asyncIterator]();
    process.stderr?.on('data', (text: Buffer) => {
      this.#errorOutput = (this.#errorOutput + text.toString()).slice(-4000);
    });
    process.stdin?.on('error', () => undefined); // the missing reply is reported instead
  }

  /** Starts the process on the first `threads` CPUs and waits for its first reply. @throws BenchError with its error output. */
  static async start(
    { name, command, args }: SideCommand,
    { threads, clock, skip = 0 }: Start,
  ): Promise<Side> {
    const pinned = pin(command, args, [skip, skip + threads]);
    const env = {
      ...process.env,
      OMP_NUM_THREADS: String(threads),
      ...(clock === 'processor' && { OMP_WAIT_POLICY: 'passive' }),
    };
    const side = new Side(name, clock, spawn(pinned.command, pinned.args, { env, stdio: 'pipe' }));
    side.#process.on('error', (error) => {
      side.#errorOutput += error.message;
    });
    side.first = await side.#reply();
    const { about, output } = side.first;
    side.about = String(about);
    side.output = (output ?? []) as number[];
    return side;
  }

  /** Milliseconds of each of `count` steps. */
  async run(count: number): Promise<number[]> {
    return (await this.ask(`run ${count}`))[this.#clock] as number[];
  }

  /** Peak memory of the steps since the first; null if the system does not report it. */
  async peakBytes(): Promise<number | null> {
    return (await this.ask('memory')).peakBytes as number | null;
  }

  stop(): void {
    this.#lines.close();
    this.#process.stdin?.end();
    this.#process.kill();
  }

  /** Sends a line and returns the reply. */
  ask(line: string): Promise<Record<string, unknown>> {
    this.#process.stdin?.write(`${line}\n`);
    return this.#reply();
  }

  async #reply(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#replies.next();
    if (!done) return JSON.parse(value) as Record<string, unknown>;
    // Error output may still be arriving.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const tail = this.#errorOutput.trim().split('\n').slice(-4).join('\n');
    throw new BenchError(`${this.name}: the process exited without a reply: ${tail || 'no error output'}`);
  }
}

/** On Linux every side runs on the same CPUs; elsewhere only the number of threads is the same. */
function pin(
  command: string,
  args: readonly string[],
  [from, to]: readonly [number, number],
): { command: string; args: string[] } {
  const cpus = allowedCpus().slice(from, to);
  if (cpus.length < to - from) return { command, args: [...args] };
  return { command: 'taskset', args: ['-c', cpus.join(','), command, ...args] };
}

function allowedCpus(): number[] {
  try {
    const [, list = ''] =
      /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return list.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}
