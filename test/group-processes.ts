/** Real processes that form a group on this machine, each with an engine of its own, for tests. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Program, StoreSpec } from '../src/compile/program.ts';
import type { EngineFacts, GroupOptions, HostArray, HostTensor, Traffic } from '../src/engine/engine.ts';

type Inputs = Readonly<Record<string, HostArray>>;

/** The methods of group-process.mjs. */
interface Methods {
  facts(): EngineFacts;
  serveStore(): number;
  join(options: Omit<GroupOptions, 'signal'> & { abortAfterMs?: number }): void;
  createStore(spec: StoreSpec): void;
  write(name: string, data: HostArray): void;
  read(name: string): HostArray;
  checksum(name: string): string;
  broadcast(name: string): void;
  traffic(): Traffic;
  abort(reason: string): void;
  leave(): void;
  close(): void;
  run(program: Program, inputs: Inputs): Record<string, HostTensor>;
  exit(code: number): void;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
}

export class GroupProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string | null>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  constructor() {
    const file = fileURLToPath(new URL('group-process.mjs', import.meta.url));
    // 'advanced' keeps typed arrays.
    this.child = fork(file, { serialization: 'advanced', execArgv: [] });
    this.child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.exited = new Promise((resolve) => {
      this.child.on('exit', (code, signal) => {
        resolve(signal ?? code);
        const error = { name: 'Exited', message: `exited with ${signal ?? code}` };
        for (const [id, settle] of this.#waiting) settle({ id, error });
      });
    });
  }

  /** Rejects with `name: message` of the error there. */
  async call<Name extends keyof Methods>(
    method: Name,
    ...args: Parameters<Methods[Name]>
  ): Promise<ReturnType<Methods[Name]>> {
    const id = this.#calls++;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.child.send({ id, method, args });
    const { result, error } = await answer;
    if (error) throw new Error(`${error.name}: ${error.message}`);
    return result as ReturnType<Methods[Name]>;
  }
}

/** So many processes; `joined` unless told otherwise. A single one joins nothing: it is what the others are compared with. */
export async function startGroup(size: number): Promise<readonly GroupProcess[]> {
  const processes = Array.from({ length: size }, () => new GroupProcess());
  const [first] = processes;
  if (!first || size === 1) return processes;
  const port = await first.call('serveStore');
  const options = { size, host: '127.0.0.1', port, address: '127.0.0.1' };
  await Promise.all(processes.map((process, rank) => process.call('join', { ...options, rank })));
  return processes;
}

/** Ends them, each in good order. */
export async function endGroup(processes: readonly GroupProcess[]): Promise<void> {
  for (const { child } of processes) if (child.connected) child.disconnect();
  await Promise.all(processes.map(({ exited }) => exited));
}
