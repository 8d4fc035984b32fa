/**
 * Reads JSON bodies: small ones at once, large ones in a thread of their own. 30 MB of `[],` take a second and half a gigabyte to read,
 * and the thread that answers must neither stop nor grow for that.
 */
import { Worker } from 'node:worker_threads';
import { builtProgram } from '../../helper-process.ts';
import { RequestError } from '../http/request-error.ts';
import { withLowerThreads } from '../priority.ts';
import { type BodyAnswer, type BodyJob, type BodyKind, type BodyKinds, readers } from './body-messages.ts';

/** About a millisecond's work. */
const smallBytes = 64 * 1024;

/** Enough for 32 MiB of nested arrays; a body that needs more is refused. */
const heapMebibytes = 512;

export interface BodyReader {
  /**
   * @param options.jsonBytes Length of the JSON at the beginning of the body. Default: all of it.
   * @throws RequestError when it is malformed, or cannot be read in time; the signal's reason if that is aborted first.
   */
  read<Kind extends BodyKind>(
    job: BodyJob<Kind>,
    options?: { readonly jsonBytes?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<BodyKinds[Kind]['request']>;
  close(): Promise<void>;
}

interface Task {
  readonly job: BodyJob;
  readonly settle: (outcome: { request: BodyKinds[BodyKind]['request'] } | { error: unknown }) => void;
}

/** The thread is started when the first large body arrives. */
export function openBodyReader({ timeoutMs }: { readonly timeoutMs: number }): BodyReader {
  const tasks: Task[] = [];
  let worker: Worker | undefined;
  let [ready, closed] = [false, false];
  let current: Task | undefined;

  const next = () => {
    if (!ready || current) return;
    current = tasks.shift();
    if (!current) return;
    const { buffer, byteLength } = current.job.body;
    // Handed over instead of copied; nobody else reads it. A part of a larger buffer cannot be.
    const whole = buffer.byteLength === byteLength && buffer instanceof ArrayBuffer;
    worker?.postMessage(current.job, whole ? [buffer] : []);
  };

  const onAnswer = (answer: BodyAnswer) => {
    if (answer.kind === 'ready') ready = true;
    else {
      const task = current;
      current = undefined;
      task?.settle(
        answer.kind === 'request'
          ? { request: answer.request }
          : { error: new RequestError(answer.status, answer.message) },
      );
    }
    next();
  };

  const start = () => {
    const started = new Worker(builtProgram('server/protocol/body-worker'), {
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
    });
    worker = started;
    started.on('message', onAnswer);
    let failure: NodeJS.ErrnoException = new Error('the thread that reads bodies ended');
    started.on('error', (error) => {
      failure = error;
    });
    started.on('exit', () => {
      const task = current;
      [worker, ready, current] = [undefined, false, undefined];
      const tooLarge = failure.code === 'ERR_WORKER_OUT_OF_MEMORY';
      task?.settle({
        error: tooLarge
          ? new RequestError(413, 'the JSON needs too much memory; send binary data, or fewer values')
          : failure,
      });
      if (!closed && tasks.length > 0) start();
    });
    void withLowerThreads(
      () =>
        new Promise<void>((resolve) =>
          started.once('message', () => resolve()).once('exit', () => resolve()),
        ),
    );
  };

  const inThread = (job: BodyJob, signal: AbortSignal | undefined) =>
    new Promise<BodyKinds[BodyKind]['request']>((resolve, reject) => {
      const leave = (error: unknown) => {
        const index = tasks.indexOf(task);
        if (index >= 0) tasks.splice(index, 1);
        task.settle({ error });
        // A body that nobody waits for must not keep the others waiting; the next one gets a new thread.
        if (current !== task) return;
        ready = false;
        void worker?.terminate();
      };
      const onAbort = () => leave(signal?.reason);
      const timer = setTimeout(
        () =>
          leave(
            new RequestError(
              503,
              `the JSON could not be read within ${timeoutMs} ms; try again later, or send binary data`,
              {
                retryAfterSeconds: 1,
                reason: 'deadline',
              },
            ),
          ),
        timeoutMs,
      );
      const task: Task = {
        job,
        settle: (outcome) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          if ('request' in outcome) resolve(outcome.request);
          else reject(outcome.error);
        },
      };
      signal?.addEventListener('abort', onAbort);
      tasks.push(task);
      if (!worker) start();
      next();
    });

  return {
    read: async (job, { jsonBytes = job.body.length, signal } = {}) => {
      signal?.throwIfAborted();
      if (jsonBytes <= smallBytes) return readers[job.kind](job.body, job.options);
      return inThread(job, signal);
    },
    close: async () => {
      closed = true;
      await worker?.terminate();
    },
  };
}
