/**
 * A pool of processes that decode images. One that dies or hangs is replaced. The image of one that died is retried once by
 * another process, because the process may have been at fault, and then refused; that of one that hung is refused.
 */
import type { ChildProcess } from 'node:child_process';
import { builtProgram, startHelper } from '../../helper-process.ts';
import { RequestError } from '../http/request-error.ts';
import { lowerPriority, niceness } from '../priority.ts';
import type { ImageAnswer, ImageJob } from './image-messages.ts';

export interface ImagePool {
  /**
   * Decodes and resizes an image to the network's input size.
   * @throws RequestError when it cannot be decoded; the signal's reason if that is aborted first.
   */
  prepare(job: ImageJob, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
  /** Process ids, for tests and logs. */
  readonly processes: readonly number[];
  close(): Promise<void>;
}

export interface ImagePoolOptions {
  readonly processes: number;
  /** A decoder that takes longer is killed. */
  readonly timeoutMs: number;
  readonly onReplaced?: (reason: string) => void;
  readonly onDecoded?: (seconds: number) => void;
  /** The worker's program; tests pass one that misbehaves on demand. */
  readonly program?: string;
}

/** Delay before replacing a process that never started, which would otherwise restart in a busy loop. */
const restartDelayMs = 1000;

interface Task {
  readonly job: ImageJob;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  failures: number;
}

interface Worker {
  readonly child: ChildProcess;
  task: Task | undefined;
  startedAt: number;
  timer: NodeJS.Timeout | undefined;
  hung: boolean;
  ready: boolean;
  readonly stderrTail: () => string;
}

/** Starts the processes. @throws Error if one does not start. */
export async function openImagePool(options: ImagePoolOptions): Promise<ImagePool> {
  const { processes, timeoutMs, program = builtProgram('server/images/image-worker') } = options;
  const tasks: Task[] = [];
  const workers = new Set<Worker>();
  const idle: Worker[] = [];
  let closed = false;

  const next = () => {
    while (idle.length > 0 && tasks.length > 0) {
      const worker = idle.pop() as Worker;
      const task = tasks.shift() as Task;
      worker.task = task;
      worker.startedAt = performance.now();
      worker.timer = setTimeout(() => {
        worker.hung = true;
        worker.child.kill('SIGKILL');
      }, timeoutMs);
      // A process that has just died reports an error here; its exit handler deals with the task.
      worker.child.send(task.job, () => {});
    }
  };

  const onMessage = (worker: Worker, message: ImageAnswer) => {
    const { task } = worker;
    clearTimeout(worker.timer);
    worker.task = undefined;
    idle.push(worker);
    if (message.kind === 'image') {
      options.onDecoded?.((performance.now() - worker.startedAt) / 1000);
      task?.resolve(message.data);
    } else if (message.kind === 'broken') task?.reject(new RequestError(400, message.message));
    next();
  };

  const onExit = (worker: Worker, exitReason: string) => {
    clearTimeout(worker.timer);
    workers.delete(worker);
    const index = idle.indexOf(worker);
    if (index >= 0) idle.splice(index, 1);
    if (closed) return;
    const died = `the process died (${exitReason})${worker.stderrTail()}`;
    const reason = worker.hung ? 'an image took too long' : died;
    const { task } = worker;
    // An image that took all of its time gets no second try: two tries would hold a place for twice as long.
    if (task && worker.hung) task.reject(refusal(task, `took more than ${timeoutMs} ms`));
    else if (task && ++task.failures < 2) tasks.unshift(task);
    else task?.reject(refusal(task, 'ended the process that decoded it, twice'));
    options.onReplaced?.(reason);
    if (worker.ready) start().catch(() => {});
    else setTimeout(() => start().catch(() => {}), restartDelayMs).unref();
  };

  function start(): Promise<void> {
    if (closed) return Promise.resolve();
    // A minimal environment, without the server's token and settings. glibc's arenas would retain the memory of large images.
    const env = { MALLOC_ARENA_MAX: '2' };
    const { child, stderrTail } = startHelper(program, {
      env,
      onSpawn: (pid) => lowerPriority(pid, niceness.decoding),
    });
    const worker: Worker = {
      child,
      task: undefined,
      startedAt: 0,
      timer: undefined,
      hung: false,
      ready: false,
      stderrTail,
    };
    workers.add(worker);
    return new Promise<void>((resolve, reject) => {
      child.on('message', (message: ImageAnswer) => {
        worker.ready = true;
        if (message.kind === 'ready') resolve();
        onMessage(worker, message);
      });
      child.once('exit', (code, signal) => {
        const exitReason = signal ?? `exit code ${code}`;
        reject(new Error(`the image decoder process did not start (${exitReason})${stderrTail()}`));
        onExit(worker, exitReason);
      });
    });
  }

  const pool: ImagePool = {
    prepare: (job, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (closed) throw new RequestError(503, 'the server is shutting down', { retryAfterSeconds: 1 });
        signal?.throwIfAborted();
        const onAbort = () => {
          const index = tasks.indexOf(task);
          // A task that is already running is left to finish: restarting the process would cost more.
          if (index >= 0) tasks.splice(index, 1);
          reject(signal?.reason);
        };
        const removeListener = () => signal?.removeEventListener('abort', onAbort);
        const task: Task = {
          job,
          failures: 0,
          resolve: (data) => {
            removeListener();
            resolve(data);
          },
          reject: (error) => {
            removeListener();
            reject(error);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        tasks.push(task);
        next();
      }),
    get processes() {
      return [...workers].flatMap(({ child }) => child.pid ?? []);
    },
    close: async () => {
      closed = true;
      const exits = [...workers].map(
        ({ child }) => new Promise<void>((resolve) => child.once('exit', () => resolve())),
      );
      const closing = new RequestError(503, 'the server is shutting down', { retryAfterSeconds: 1 });
      for (const task of tasks.splice(0)) task.reject(closing);
      for (const { child, task, timer } of workers) {
        clearTimeout(timer);
        task?.reject(closing);
        child.kill('SIGKILL');
      }
      await Promise.all(exits);
    },
  };
  try {
    await Promise.all(Array.from({ length: processes }, start));
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}

const refusal = ({ job }: Task, reason: string) =>
  new RequestError(400, `${job.name}: cannot be decoded: it ${reason}`);
