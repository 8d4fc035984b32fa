/** `--processes N`: copies of this very command on this machine, which form a group of N. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Environment } from './launcher.ts';

export interface Copies {
  readonly command: string;
  readonly args: readonly string[];
  readonly processes: number;
  readonly env: Environment;
  /** Where lines of all ranks but 0 go, and what is said here. */
  readonly say: (line: string) => void;
  /** Milliseconds that the others have to end by themselves after one failed, before SIGTERM. Default 2000. */
  readonly noticeMs?: number;
  /** Milliseconds from then to SIGKILL. Default 30,000, which is torchrun's. */
  readonly graceMs?: number;
}

/** Signals that end a process or ask it for a checkpoint; each is passed on as it comes. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const ending: ReadonlySet<string> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);

/** Runs the command once for each rank, and returns the exit code of the first that failed, or 0. */
export async function runCopies(copies: Copies): Promise<number> {
  const { processes, say, noticeMs = 2000, graceMs = 30_000 } = copies;
  const port = await freePort();
  const run = randomUUID();
  const children = Array.from({ length: processes }, (_, rank) => startCopy(rank, { copies, port, run }));
  const alive = new Set(children);
  const timers: NodeJS.Timeout[] = [];
  let failure: number | undefined;
  let isEnding = false;

  const sendAll = (signal: NodeJS.Signals): void => {
    for (const child of alive) child.kill(signal);
  };
  const forward = (signal: NodeJS.Signals): void => {
    isEnding ||= ending.has(signal);
    sendAll(signal);
  };
  /** Ctrl-Z stops the whole command. */
  const stop = (): void => {
    sendAll('SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  };
  const goOn = (): void => sendAll('SIGCONT');

  const onEnd = (rank: number, child: ChildProcess, code: number, how: string): void => {
    alive.delete(child);
    if (code === 0 || failure !== undefined) return;
    failure = code;
    if (alive.size === 0) return;
    if (!isEnding) {
      say(`rank ${rank} (process ${child.pid}) ${how}; the others are ended`);
      // They notice the loss themselves and say so. A training would take the signal for a wish to save and go on later.
      timers.push(setTimeout(sendAll, noticeMs, 'SIGTERM'));
    }
    timers.push(
      setTimeout(
        () => {
          // With what they have started.
          for (const { pid } of alive) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
        },
        (isEnding ? 0 : noticeMs) + graceMs,
      ),
    );
  };

  for (const signal of forwarded) process.on(signal, forward);
  process.on('SIGTSTP', stop).on('SIGCONT', goOn);
  try {
    await Promise.all(
      children.map(async (child, rank) => {
        try {
          const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
          if (signal === null) onEnd(rank, child, code ?? 0, `failed with exit code ${code}`);
          else onEnd(rank, child, 128 + constants.signals[signal], `was ended by ${signal}`);
        } catch (error) {
          onEnd(rank, child, 1, `could not be started: ${(error as Error).message}`);
        }
      }),
    );
    // The last lines; what a process has left behind may hold the pipe for longer.
    await Promise.race([
      Promise.all(
        children.map((child) => child.stderr && !child.stderr.closed && once(child.stderr, 'close')),
      ),
      new Promise((resolve) => timers.push(setTimeout(resolve, 1000))),
    ]);
    for (const { stderr } of children) stderr?.destroy();
    return failure ?? 0;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const signal of forwarded) process.off(signal, forward);
    process.off('SIGTSTP', stop).off('SIGCONT', goOn);
  }
}

interface Place {
  readonly copies: Copies;
  readonly port: number;
  readonly run: string;
}

function startCopy(rank: number, { copies, port, run }: Place): ChildProcess {
  const { command, args, processes, env, say } = copies;
  const [place, size] = [String(rank), String(processes)];
  const child = spawn(command, args, {
    env: {
      ...env,
      ...{ RANK: place, LOCAL_RANK: place, WORLD_SIZE: size, LOCAL_WORLD_SIZE: size },
      ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port), INCEPTION_RUN: run },
    },
    // What the others do is silent but for warnings and errors.
    stdio: rank === 0 ? 'inherit' : ['ignore', 'ignore', 'pipe'],
    // A terminal's Ctrl-C would reach a child of the same group beside the signal that is passed on: two of them end a training
    // without a checkpoint.
    detached: true,
  });
  if (child.stderr)
    createInterface({ input: child.stderr }).on('line', (line) => say(`rank ${rank}: ${line}`));
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
