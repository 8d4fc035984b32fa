/**
 * A few processes that decode images. One that dies or hangs is replaced; its image is tried once more by another, because
 * the process may have been at fault, and is then refused.
 */
import type { ChildProcess } from 'node:child_process';
import { builtProgram, startHelper } from '../helper-process.ts';
import { RequestError } from '../http/request-error.ts';
import { below } from '../priority.ts';
import type { ImageAnswer, ImageJob } from './image-messages.ts';

export interface ImagePool {
  /**
   * An image as bytes of the network's size.
   * @throws RequestError when it cannot be decoded; the signal's reason when that is aborted first.
   */
  prepare(job: ImageJob, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
  /** Process ids, for tests and logs. */
  readonly processes: readonly number[];
  close(): Promise<void>;
}

export interface ImagePoolOptions {
  readonly processes: number;
  /** An image that takes longer is taken for one that never ends. */
  readonly timeoutMs: number;
  readonly onReplaced?: (why: string) => void;
  readonly onDecoded?: (seconds: number) => void;
  /** The program of a process; the tests' own misbehaves on demand. */
  readonly program?: string;
}

/** One that never came up is not replaced at once: that would only use up the processor. */
const pauseMs = 1000;

interface Task {
  readonly job: ImageJob;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  failures: number;
}

interface Worker {
  readonly child: ChildProcess;
  task: Task | undefined;
  since: number;
  timer: NodeJS.Timeout | undefined;
  hung: boolean;
  ready: boolean;
  readonly lastWords: () => string;
}

/** Starts the processes. @throws Error when one does not come up. */
export async function openImagePool(options: ImagePoolOptions): Promise<ImagePool> {
  const { processes, timeoutMs, program = builtProgram('images/image-worker') } = options;
  const tasks: Task[] = [];
  const workers = new Set<Worker>();
  const idle: Worker[] = [];
  let closed = false;

  const next = () => {
    while (idle.length > 0 && tasks.length > 0) {
      const worker = idle.pop() as Worker;
      const task = tasks.shift() as Task;
      worker.task = task;
      worker.since = performance.now();
      worker.timer = setTimeout(() => {
        worker.hung = true;
        worker.child.kill('SIGKILL');
      }, timeoutMs);
      // A process that has just died says so here; its exit then deals with the task.
      worker.child.send(task.job, () => {});
    }
  };

  const onAnswer = (worker: Worker, answer: ImageAnswer) => {
    const { task } = worker;
    clearTimeout(worker.timer);
    worker.task = undefined;
    idle.push(worker);
    if (answer.kind === 'image') {
      options.onDecoded?.((performance.now() - worker.since) / 1000);
      task?.resolve(answer.data);
    } else if (answer.kind === 'broken') task?.reject(new RequestError(400, answer.message));
    next();
  };

  const onExit = (worker: Worker, how: string) => {
    clearTimeout(worker.timer);
    workers.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
    if (closed) return;
    const died = `the process died (${how})${worker.lastWords()}`;
    const why = worker.hung ? 'an image took too long' : died;
    const { task } = worker;
    if (task && ++task.failures < 2) tasks.unshift(task);
    else task?.reject(refusal(task, worker.hung ? `took more than ${timeoutMs} ms to decode` : undefined));
    options.onReplaced?.(why);
    if (worker.ready) start().catch(() => {});
    else setTimeout(() => start().catch(() => {}), pauseMs).unref();
  };

  function start(): Promise<void> {
    if (closed) return Promise.resolve();
    // Nothing of the server's: no token, no settings. glibc's arenas would keep the memory of large images.
    const env = { MALLOC_ARENA_MAX: '2' };
    const { child, lastWords } = startHelper(program, { env, below: below.decoding });
    const worker: Worker = {
      child,
      task: undefined,
      since: 0,
      timer: undefined,
      hung: false,
      ready: false,
      lastWords,
    };
    workers.add(worker);
    return new Promise<void>((resolve, reject) => {
      child.on('message', (answer: ImageAnswer) => {
        worker.ready = true;
        if (answer.kind === 'ready') resolve();
        onAnswer(worker, answer);
      });
      child.once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        reject(new Error(`the process that decodes images did not start (${how})${lastWords()}`));
        onExit(worker, how);
      });
    });
  }

  const pool: ImagePool = {
    prepare: (job, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (closed) throw new RequestError(503, 'the server is closing', { retryAfterSeconds: 1 });
        signal?.throwIfAborted();
        const onAbort = () => {
          const at = tasks.indexOf(task);
          // One that is being decoded is let run to its end: the process is needed again, the result is not.
          if (at >= 0) tasks.splice(at, 1);
          reject(signal?.reason);
        };
        const done = () => signal?.removeEventListener('abort', onAbort);
        const task: Task = {
          job,
          failures: 0,
          resolve: (data) => {
            done();
            resolve(data);
          },
          reject: (error) => {
            done();
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
      const gone = [...workers].map(
        ({ child }) => new Promise<void>((resolve) => child.once('exit', () => resolve())),
      );
      const closing = new RequestError(503, 'the server is closing', { retryAfterSeconds: 1 });
      for (const task of tasks.splice(0)) task.reject(closing);
      for (const { child, task, timer } of workers) {
        clearTimeout(timer);
        task?.reject(closing);
        child.kill('SIGKILL');
      }
      await Promise.all(gone);
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

const refusal = ({ job }: Task, why = 'ended the process that decoded it') =>
  new RequestError(400, `${job.name}: cannot be decoded: it ${why}, twice`);
