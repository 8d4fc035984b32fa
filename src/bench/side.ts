/** One side of a comparison: a process that runs a step for each line and answers with its time. */
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
 * Wall time, or the processor time of all threads, which is sound also while others work on the machine: then waiting
 * threads sleep instead of spinning, on every side.
 */
export type Clock = 'wall' | 'processor';

interface Start {
  readonly threads: number;
  readonly clock: Clock;
}

export class Side {
  readonly name: string;
  /** What runs there, with its version. */
  about = '';
  /** Of the first step: logits, or the loss. */
  output: readonly number[] = [];
  readonly #clock: Clock;
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  #said = '';

  // A private constructor: a side without its first answer is none.
  private constructor(name: string, clock: Clock, process: ChildProcess) {
    this.name = name;
    this.#clock = clock;
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout as NodeJS.ReadableStream });
    this.#answers = this.#lines[Symbol.asyncIterator]();
    process.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-4000);
    });
    process.stdin?.on('error', () => undefined); // the missing answer says it better
  }

  /** Starts the process on the first `threads` processors and waits for its first step. @throws BenchError with its last words. */
  static async start({ name, command, args }: SideCommand, { threads, clock }: Start): Promise<Side> {
    const pinned = pin(command, args, threads);
    const env = {
      ...process.env,
      OMP_NUM_THREADS: String(threads),
      ...(clock === 'processor' && { OMP_WAIT_POLICY: 'passive' }),
    };
    const side = new Side(name, clock, spawn(pinned.command, pinned.args, { env, stdio: 'pipe' }));
    side.#process.on('error', (error) => {
      side.#said += error.message;
    });
    const { about, output } = await side.#answer();
    side.about = String(about);
    side.output = output as number[];
    return side;
  }

  /** Milliseconds of each of `count` steps. */
  async run(count: number): Promise<number[]> {
    return (await this.#ask(`run ${count}`))[this.#clock] as number[];
  }

  /** Of the steps since the first one; null where the system does not count it. */
  async peakBytes(): Promise<number | null> {
    return (await this.#ask('memory')).peakBytes as number | null;
  }

  stop(): void {
    this.#lines.close();
    this.#process.stdin?.end();
    this.#process.kill();
  }

  #ask(line: string): Promise<Record<string, unknown>> {
    this.#process.stdin?.write(`${line}\n`);
    return this.#answer();
  }

  async #answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#answers.next();
    if (!done) return JSON.parse(value) as Record<string, unknown>;
    // What it said may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const words = this.#said.trim().split('\n').slice(-4).join('\n');
    throw new BenchError(`${this.name}: the process ended without an answer: ${words || 'it said nothing'}`);
  }
}

/** On Linux every side gets the same processors; elsewhere only the number of threads is the same. */
function pin(command: string, args: readonly string[], threads: number): { command: string; args: string[] } {
  const processors = allowedProcessors().slice(0, threads);
  if (processors.length < threads) return { command, args: [...args] };
  return { command: 'taskset', args: ['-c', processors.join(','), command, ...args] };
}

function allowedProcessors(): number[] {
  try {
    const [, list = ''] =
      /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return list.split(',').flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
  } catch {
    return [];
  }
}
