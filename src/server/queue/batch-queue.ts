/**
 * Dynamic batching behind a bounded queue. Rows of different requests share a batch, which starts when it is full or when
 * its oldest row has waited long enough. A request takes a ticket before any expensive work is done for it. A ticket is
 * dropped at once when the queue is full, its deadline passes, or its client disconnects.
 */

import { RequestError } from '../http/request-error.ts';
import { Demand, type Pace } from './demand.ts';

export interface BatchQueueOptions<Row, Result> {
  /** Maximum rows in a batch. */
  readonly maxBatch: number;
  /** How long a row waits for others while nothing is running. */
  readonly waitMs: number;
  /** Rows waiting or being prepared before further requests are refused. */
  readonly capacity: number;
  /** Capacity while demand exceeds throughput, when queueing adds only latency. Default: `capacity`. */
  readonly capacityInOverload?: number;
  readonly run: (rows: readonly Row[]) => Promise<readonly Result[]>;
  /** Whether an error is one of some row, so that the others are computed without it. Default: never. */
  readonly isOfRow?: (error: unknown) => boolean;
  readonly onBatch?: (batch: BatchReport) => void;
}

export interface BatchReport {
  readonly rows: number;
  /** How long each row waited, in seconds. */
  readonly waits: readonly number[];
  readonly seconds: number;
  readonly failed: boolean;
}

export interface TicketOptions {
  /** Rows that the request will submit. */
  readonly rows: number;
  /** Time until the last row must have started. */
  readonly deadlineMs: number;
  /** Aborted when the client disconnects. */
  readonly signal?: AbortSignal;
}

export interface Ticket<Row, Result> {
  /** Aborted when the deadline passes or the client disconnects, with the error as its reason. */
  readonly signal: AbortSignal;
  /** Queues one row. @throws RequestError or the client's reason, if the ticket has ended first. */
  submit(row: Row): Promise<Result>;
  /** Drops whatever has not started. Must always be called. */
  leave(): void;
}

interface Entry<Row, Result> {
  readonly row: Row;
  readonly queuedAt: number;
  readonly onStart: () => void;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export class BatchQueue<Row, Result> {
  readonly #options: BatchQueueOptions<Row, Result>;
  #queue: Entry<Row, Result>[] = [];
  /** Rows of open tickets that have not been submitted yet. */
  #expected = 0;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  /** Moving average. */
  #secondsPerRow = 0;
  readonly #demand = new Demand();

  constructor(options: BatchQueueOptions<Row, Result>) {
    this.#options = options;
  }

  /** Rows that have not started: in preparation or queued. */
  get waiting(): number {
    return this.#expected + this.#queue.length;
  }

  get full(): boolean {
    return this.waiting >= this.#capacity;
  }

  get #capacity(): number {
    const { capacity, capacityInOverload = capacity } = this.#options;
    return this.#demand.isOverload(this.#pace) ? capacityInOverload : capacity;
  }

  get #pace(): Pace {
    return { rowSeconds: this.#secondsPerRow, batchSeconds: this.#secondsPerRow * this.#options.maxBatch };
  }

  /** The error for a request that arrives when the queue is full. */
  refusal(): RequestError {
    this.#demand.add(1, this.#pace);
    return new RequestError(
      503,
      `the queue is full: ${this.waiting} images are waiting, the limit is ${this.#capacity}; try again later`,
      { retryAfterSeconds: this.#retryAfterSeconds(), reason: 'queue_full' },
    );
  }

  /**
   * A request with more rows than there is room for is accepted whole as long as the queue is not full: the number of images
   * per request is bounded, and it could otherwise never be served.
   * @throws RequestError when the queue is full, or the expected wait exceeds the deadline.
   */
  enter({ rows, deadlineMs, signal: client }: TicketOptions): Ticket<Row, Result> {
    if (this.full) throw this.refusal();
    this.#demand.add(rows, this.#pace);
    const aheadMs = this.waiting * this.#secondsPerRow * 1000;
    if (aheadMs > deadlineMs) throw this.#late({ aheadMs, deadlineMs });
    client?.throwIfAborted();
    const end = new AbortController();
    const entries = new Set<Entry<Row, Result>>();
    let open = rows;
    this.#expected += rows;
    const cancel = (reason: unknown) => {
      if (end.signal.aborted) return;
      clearTimeout(timer);
      client?.removeEventListener('abort', onClient);
      this.#expected -= open;
      open = 0;
      if (entries.size > 0) this.#queue = this.#queue.filter((entry) => !entries.has(entry));
      end.abort(reason);
      for (const entry of entries) entry.reject(reason);
      entries.clear();
    };
    const onClient = () => cancel(client?.reason);
    client?.addEventListener('abort', onClient, { once: true });
    const timer = setTimeout(() => cancel(this.#expired(deadlineMs)), deadlineMs);
    return {
      signal: end.signal,
      submit: (row) =>
        new Promise<Result>((resolve, reject) => {
          if (end.signal.aborted) {
            reject(end.signal.reason);
            return;
          }
          if (open === 0) throw new Error(`a ticket for ${rows} rows was used for more`);
          open--;
          this.#expected--;
          const onStart = () => {
            entries.delete(entry);
            // A row that is running is answered, however late.
            if (open === 0 && entries.size === 0) clearTimeout(timer);
          };
          const entry = { row, queuedAt: performance.now(), onStart, resolve, reject };
          entries.add(entry);
          this.#queue.push(entry);
          // Scheduled in a microtask so that rows submitted together share a batch.
          queueMicrotask(() => this.#schedule());
        }),
      leave: () => cancel(new Error('the request has ended')),
    };
  }

  /** Starts a batch if one is due, otherwise sets a timer for it. */
  #schedule(): void {
    const [oldest] = this.#queue;
    if (this.#running || !oldest) return;
    const { maxBatch, waitMs } = this.#options;
    const remainingMs = oldest.queuedAt + waitMs - performance.now();
    if (this.#queue.length >= maxBatch || remainingMs <= 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#start(this.#queue.splice(0, maxBatch));
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#schedule();
    }, remainingMs);
  }

  async #start(batch: readonly Entry<Row, Result>[]): Promise<void> {
    this.#running = true;
    const begin = performance.now();
    for (const entry of batch) entry.onStart();
    const failed = !(await this.#answer(batch));
    const seconds = (performance.now() - begin) / 1000;
    const perRow = seconds / batch.length;
    this.#secondsPerRow = this.#secondsPerRow === 0 ? perRow : 0.9 * this.#secondsPerRow + 0.1 * perRow;
    this.#running = false;
    this.#options.onBatch?.({
      rows: batch.length,
      waits: batch.map(({ queuedAt }) => (begin - queuedAt) / 1000),
      seconds,
      failed,
    });
    this.#schedule();
  }

  /** Runs a batch; one that fails because of a row is halved until that row fails alone. Whether all of it succeeded. */
  async #answer(batch: readonly Entry<Row, Result>[]): Promise<boolean> {
    const { run, isOfRow = () => false } = this.#options;
    try {
      const results = await run(batch.map(({ row }) => row));
      batch.forEach((entry, index) => {
        entry.resolve(results[index] as Result);
      });
      return true;
    } catch (error) {
      if (batch.length > 1 && isOfRow(error)) {
        const half = Math.ceil(batch.length / 2);
        await this.#answer(batch.slice(0, half));
        await this.#answer(batch.slice(half));
      } else for (const entry of batch) entry.reject(error);
      return false;
    }
  }

  #retryAfterSeconds(): number {
    return Math.max(1, Math.ceil(this.waiting * this.#secondsPerRow));
  }

  #late({ aheadMs, deadlineMs }: { aheadMs: number; deadlineMs: number }): RequestError {
    return new RequestError(
      503,
      `the expected wait is ${Math.round(aheadMs)} ms, longer than the deadline of ${deadlineMs} ms; try again later`,
      { retryAfterSeconds: this.#retryAfterSeconds(), reason: 'deadline' },
    );
  }

  #expired(deadlineMs: number): RequestError {
    return new RequestError(
      503,
      `the request did not start within its deadline of ${deadlineMs} ms; try again later`,
      { retryAfterSeconds: this.#retryAfterSeconds(), reason: 'deadline' },
    );
  }
}
