/** Groups of real processes that run the built command, as a launcher would start them, for tests that stop and end them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** The built command line, for Node.js. */
export const command = fileURLToPath(new URL('../bin/inception', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to standard error so far. */
  stderr(): string;
  /** Resolves when standard error holds the text. @throws Error if the process ends before that */
  until(text: RegExp): Promise<void>;
}

const children: ChildProcess[] = [];

/** For `afterEach`: none is left behind, whatever a test ended with. */
export function killAll(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL');
}

export function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  let hasEnded = false;
  const wakes = new Set<() => void>();
  const wake = () => {
    for (const each of wakes) each();
    wakes.clear();
  };
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    wake();
  });
  const ended = once(child, 'close').then(([code, signal]) => {
    hasEnded = true;
    wake();
    return { code, signal, stdout, stderr } as Ended;
  });
  return {
    child,
    ended,
    stderr: () => stderr,
    until: async (text) => {
      while (!text.test(stderr)) {
        if (hasEnded) throw new Error(`ended before ${text}:\n${stderr}`);
        await new Promise<void>((resolve) => wakes.add(resolve));
      }
    },
  };
}

/** The built command, as a process of its own. */
export const inception = (args: readonly string[], env?: NodeJS.ProcessEnv): Running =>
  start(process.execPath, [command, ...args], env);

/** As many processes, each a child of this one; `argsOf` may give each other arguments. */
export async function inceptionGroup(
  size: number,
  argsOf: readonly string[] | ((rank: number) => readonly string[]),
): Promise<readonly Running[]> {
  const of = typeof argsOf === 'function' ? argsOf : () => argsOf;
  if (size === 1) return [inception(of(0))];
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return Array.from({ length: size }, (_, rank) => {
    const [place, all] = [String(rank), String(size)];
    return inception(of(rank), {
      ...{ RANK: place, LOCAL_RANK: place, WORLD_SIZE: all, LOCAL_WORLD_SIZE: all },
      ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) },
    });
  });
}

export const allEnded = (group: readonly Running[]): Promise<readonly Ended[]> =>
  Promise.all(group.map(({ ended }) => ended));
