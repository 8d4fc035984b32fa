/**
 * A child process that is given one job at a time, and is ended when it takes too long. A job whose process dies or hangs is tried
 * once more in a new one, because the process may have been at fault.
 */
import type { ChildProcess } from 'node:child_process';
import { InceptionError } from '../../errors.ts';
import { type Helper, startHelper } from '../../helper-process.ts';

/** A process that died, or was ended because it did not answer. */
export class ProcessLostError extends InceptionError {
  override name = 'ProcessLostError';
}

/** What the process sends: its first message answers the opening, every later one a job. */
export type Reply<Facts, Result> =
  | { readonly kind: 'opened'; readonly facts: Facts }
  | { readonly kind: 'result'; readonly result: Result }
  /** `refused`: the file or the options are invalid, and the message is for the user. */
  | { readonly kind: 'failed'; readonly message: string; readonly refused: boolean };

export interface WatchedProcessOptions<Opening> {
  readonly program: string;
  /** For messages: `photos.onnx`. */
  readonly what: string;
  readonly opening: Opening;
  /** Time for the answer to the opening. */
  readonly openMs: number;
  /** The error of a reply that is `refused`. */
  readonly refusal: (message: string) => InceptionError;
  /** Asks it whether it still answers, this often, and starts another one where it is gone. Default: only jobs notice. */
  readonly checkMs?: number | undefined;
  /** Time for an answer to that question. */
  readonly answerMs?: number | undefined;
  readonly onSpawn?: ((pid: number) => void) | undefined;
  readonly onReplaced?: ((reason: string) => void) | undefined;
}

/** How long a job may take, and after which time its process no longer counts as healthy. */
export interface JobLimits {
  readonly limitMs: number;
  readonly lateMs: number;
}

/** Asked between jobs. */
export const question = 'alive?';

export class WatchedProcess<Opening, Facts, Job, Result> {
  readonly #options: WatchedProcessOptions<Opening>;
  #helper: Helper | undefined;
  #facts: Facts | undefined;
  #jobs: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** When the present job counts as late. */
  #lateAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: WatchedProcessOptions<Opening>) {
    this.#options = options;
  }

  /** @throws the refusal, or ProcessLostError if it dies or does not answer in time */
  static async open<Opening, Facts, Job, Result>(
    options: WatchedProcessOptions<Opening>,
  ): Promise<WatchedProcess<Opening, Facts, Job, Result>> {
    const opened = new WatchedProcess<Opening, Facts, Job, Result>(options);
    await opened.#start();
    if (options.checkMs !== undefined)
      opened.#timer = setInterval(() => opened.#check(), options.checkMs).unref();
    return opened;
  }

  get facts(): Facts {
    return this.#facts as Facts;
  }

  /** False while there is no process, or its job is late. */
  get healthy(): boolean {
    return this.#helper !== undefined && performance.now() < this.#lateAt;
  }

  /** Jobs are done in order. @throws the error of the job, the refusal, or ProcessLostError if two processes were lost with it */
  run(job: Job, limits: JobLimits): Promise<Result> {
    this.#waiting++;
    const result = this.#jobs.then(() => this.#attempt(job, limits)).finally(() => this.#waiting--);
    this.#jobs = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const child = this.#helper?.child;
    this.#helper = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  async #start(): Promise<void> {
    const { program, opening, openMs, onSpawn, what } = this.#options;
    const helper = startHelper(program, { env: process.env, onSpawn });
    const reply = await this.#ask(helper, opening, { limitMs: openMs, lateMs: openMs });
    if (reply.kind !== 'opened') {
      helper.child.kill('SIGKILL');
      throw reply.kind === 'failed' ? this.#errorOf(reply) : new Error(`${what}: unexpected message`);
    }
    this.#facts = reply.facts;
    if (this.#closed) helper.child.kill('SIGKILL');
    else this.#helper = helper;
    helper.child.once('exit', () => {
      if (this.#helper === helper) this.#helper = undefined;
    });
  }

  async #attempt(job: Job, limits: JobLimits): Promise<Result> {
    for (let failures = 0; ; ) {
      if (this.#closed) throw new ProcessLostError(`${this.#options.what}: its process was closed`);
      try {
        if (!this.#helper?.child.connected) await this.#start();
        const reply = await this.#ask(this.#helper as unknown as Helper, job, limits);
        if (reply.kind === 'result') return reply.result;
        throw reply.kind === 'failed' ? this.#errorOf(reply) : new Error('unexpected message');
      } catch (error) {
        if (!(error instanceof ProcessLostError) || this.#closed) throw error;
        this.#options.onReplaced?.(error.message);
        if (++failures > 1) throw error;
      }
    }
  }

  #errorOf({ message, refused }: { message: string; refused: boolean }): Error {
    return refused ? this.#options.refusal(message) : new Error(message);
  }

  /** One message and its reply; a process that does not reply in time is ended. */
  #ask(
    { child, stderrTail }: Helper,
    message: Opening | Job | typeof question,
    { limitMs, lateMs }: JobLimits,
  ): Promise<Reply<Facts, Result>> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, limitMs);
      this.#lateAt = performance.now() + lateMs;
      hold(child, true);
      const end = () => {
        clearTimeout(timer);
        this.#lateAt = Number.POSITIVE_INFINITY;
        child.off('message', onReply);
        child.off('close', onClose);
        hold(child, false);
      };
      const onReply = (reply: unknown) => {
        end();
        resolve(reply as Reply<Facts, Result>);
      };
      const onClose = (code: number | null, signal: NodeJS.Signals | null) => {
        end();
        if (child === this.#helper?.child) this.#helper = undefined;
        const cause = late
          ? `did not answer within ${+(limitMs / 1000).toFixed(1)} s and was ended`
          : `died (${signal ?? `exit code ${code}`})${stderrTail()}`;
        reject(new ProcessLostError(`${this.#options.what}: the process that runs the model ${cause}`));
      };
      child.once('message', onReply).once('close', onClose);
      // A process that has just died reports an error here; its handler above deals with the message.
      child.send(message as object, () => {});
    });
  }

  /** Between jobs: a process that hangs or has died is noticed before somebody waits for it. */
  #check(): void {
    if (this.#closed || this.#waiting > 0) return;
    const { answerMs = 10_000, onReplaced } = this.#options;
    this.#waiting++;
    const checked = (async () => {
      try {
        if (this.#helper?.child.connected)
          await this.#ask(this.#helper, question, { limitMs: answerMs, lateMs: answerMs / 5 });
      } catch (error) {
        onReplaced?.((error as Error).message);
      }
      // What cannot be started now is tried again at the next check, and by the next job.
      if (!this.#helper && !this.#closed) await this.#start().catch(() => undefined);
    })().finally(() => this.#waiting--);
    this.#jobs = checked;
  }
}

/** Whether a child keeps this process alive: only while something is asked of it. */
function hold(child: ChildProcess, held: boolean): void {
  const stderr = child.stderr as unknown as { ref?(): void; unref?(): void } | null;
  for (const handle of [child, child.channel, stderr]) {
    if (held) handle?.ref?.();
    else handle?.unref?.();
  }
}
