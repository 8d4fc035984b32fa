/** Everything that the handlers share: models with their queues, decoders, metrics; and whether new work is taken. */

import { RequestError } from './http/request-error.ts';
import { type ImagePool, openImagePool } from './images/image-pool.ts';
import type { ServedModel, Values } from './models/served-model.ts';
import { BatchQueue, type Ticket } from './queue/batch-queue.ts';
import { createMetrics, type Metrics } from './queue/metrics.ts';
import { ModelStatistics } from './queue/statistics.ts';
import { queueFor, type ServerSettings } from './settings.ts';

/** A model at its place in the server. */
export interface Hosted {
  readonly model: ServedModel;
  readonly queue: BatchQueue<Values, Float32Array>;
  readonly statistics: ModelStatistics;
}

export class Service {
  readonly settings: ServerSettings;
  readonly hosted: ReadonlyMap<string, Hosted>;
  readonly images: ImagePool;
  readonly metrics: Metrics;
  /** Set by a signal: what was admitted is finished, nothing more is. */
  draining = false;

  private constructor(parts: Pick<Service, 'settings' | 'hosted' | 'images' | 'metrics'>) {
    this.settings = parts.settings;
    this.hosted = parts.hosted;
    this.images = parts.images;
    this.metrics = parts.metrics;
  }

  /** Starts the decoders. The first model is the one that requests without a name are for. */
  static async open(
    models: readonly ServedModel[],
    settings: ServerSettings,
    { onReplaced }: { readonly onReplaced?: (why: string) => void } = {},
  ): Promise<Service> {
    const metrics = createMetrics();
    const hosted = new Map(models.map((model) => [model.name, host(model, settings, metrics)]));
    metrics.watchQueue(() => new Map([...hosted].map(([name, { queue }]) => [name, queue.waiting])));
    const images = await openImagePool({
      processes: settings.decoders,
      timeoutMs: settings.decodeMs,
      onDecoded: (seconds) => metrics.decodeSeconds.observe(seconds),
      onReplaced: (why) => {
        metrics.decodersReplaced.inc();
        onReplaced?.(why);
      },
    });
    return new Service({ settings, hosted, images, metrics });
  }

  /** The model of a name, or the first. @throws RequestError 404 naming those that there are. */
  find(name?: string): Hosted {
    const found = name === undefined ? [...this.hosted.values()][0] : this.hosted.get(name);
    if (found) return found;
    const names = [...this.hosted.keys()].map((each) => `'${each}'`).join(', ');
    throw new RequestError(404, `there is no model '${(name ?? '').slice(0, 100)}'; there are ${names}`);
  }

  /** @throws RequestError while the server drains. */
  refuseWhenDraining(): void {
    if (!this.draining) return;
    throw new RequestError(503, 'the server is shutting down', {
      retryAfterSeconds: 1,
      reason: 'draining',
    });
  }

  /**
   * Before a body is read: whether the model's queue is full, or every queue where the model is not known yet.
   * @throws RequestError
   */
  refuseWhenFull(name: string | undefined): void {
    const queues = name === undefined ? [...this.hosted.values()] : [this.find(name)];
    if (queues.every(({ queue }) => queue.full)) throw (queues[0] as Hosted).queue.refusal();
  }

  /**
   * Brings one request through a model's queue: takes the ticket, lets `work` use it, and gives up whatever has not started
   * when that fails.
   */
  async run<T>(
    { queue, statistics }: Hosted,
    { rows, deadlineMs, signal }: { rows: number; deadlineMs?: number | undefined; signal?: AbortSignal },
    work: (ticket: Ticket<Values, Float32Array>) => Promise<T>,
  ): Promise<T> {
    this.refuseWhenDraining();
    const begin = performance.now();
    const limit = this.settings.deadlineMs;
    const ticket = queue.enter({
      rows,
      deadlineMs: Math.min(deadlineMs ?? limit, limit),
      ...(signal && { signal }),
    });
    let failed = true;
    try {
      const result = await work(ticket);
      failed = false;
      return result;
    } finally {
      ticket.leave();
      statistics.onRequest({ seconds: (performance.now() - begin) / 1000, failed });
    }
  }

  async close(): Promise<void> {
    await this.images.close();
    for (const { model } of this.hosted.values()) await model.close();
  }
}

function host(model: ServedModel, settings: ServerSettings, metrics: Metrics): Hosted {
  const statistics = new ModelStatistics();
  const { name } = model;
  const queue = new BatchQueue<Values, Float32Array>({
    largest: model.batch,
    waitMs: settings.waitMs,
    capacity: settings.queue ?? queueFor(model.batch),
    capacityInOverload: settings.queue ?? model.batch,
    run: (rows) => runRows(model, rows),
    onBatch: (batch) => {
      statistics.onBatch(batch);
      metrics.images.inc({ model: name }, batch.rows);
      metrics.batchImages.observe({ model: name }, batch.rows);
      metrics.inferenceSeconds.observe({ model: name }, batch.seconds);
      for (const wait of batch.waits) metrics.queueSeconds.observe({ model: name }, wait);
    },
  });
  return { model, queue, statistics };
}

/** Rows of several requests as one, and the results of each. */
async function runRows(model: ServedModel, rows: readonly Values[]): Promise<Float32Array[]> {
  const results = await model.run(concatenate(rows));
  const length = results.length / rows.length;
  return rows.map((_, index) => results.subarray(index * length, (index + 1) * length));
}

function concatenate(rows: readonly Values[]): Values {
  const [first] = rows as [Values];
  if (rows.length === 1) return first;
  const whole = new (first instanceof Uint8Array ? Uint8Array : Float32Array)(first.length * rows.length);
  rows.forEach((row, index) => {
    whole.set(row, index * first.length);
  });
  return whole;
}
