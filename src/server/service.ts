/** What the handlers share: models with their queues, decoders and metrics, and whether new work is accepted. */

import { InceptionError } from '../errors.ts';
import { ModelError } from '../model/description.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import { RequestError } from './http/request-error.ts';
import { type ImagePool, openImagePool } from './images/image-pool.ts';
import type { ServedModel, Values } from './models/served-model.ts';
import { type BodyReader, openBodyReader } from './protocol/body-reader.ts';
import { BatchQueue, type Ticket } from './queue/batch-queue.ts';
import { createMetrics, type Metrics } from './queue/metrics.ts';
import { ModelStatistics } from './queue/statistics.ts';
import { queueFor, type ServerSettings } from './settings.ts';

/** A model and its queue. */
export interface Hosted {
  readonly model: ServedModel;
  readonly queue: BatchQueue<Values, Float32Array>;
  readonly statistics: ModelStatistics;
}

export class Service {
  readonly settings: ServerSettings;
  readonly hosted: ReadonlyMap<string, Hosted>;
  readonly images: ImagePool;
  readonly bodies: BodyReader;
  readonly metrics: Metrics;
  /** Set on shutdown: accepted requests are finished, new ones are refused. */
  draining = false;

  private constructor(parts: Pick<Service, 'settings' | 'hosted' | 'images' | 'bodies' | 'metrics'>) {
    this.settings = parts.settings;
    this.hosted = parts.hosted;
    this.images = parts.images;
    this.bodies = parts.bodies;
    this.metrics = parts.metrics;
  }

  /** Starts the decoders. Requests without a model name go to the first model. */
  static async open(
    models: readonly ServedModel[],
    settings: ServerSettings,
    { onReplaced }: { readonly onReplaced?: (reason: string, model?: string) => void } = {},
  ): Promise<Service> {
    const metrics = createMetrics();
    const hosted = new Map(models.map((model) => [model.name, host(model, settings, metrics)]));
    metrics.watchQueue(() => new Map([...hosted].map(([name, { queue }]) => [name, queue.waiting])));
    const images = await openImagePool({
      processes: settings.decoders,
      timeoutMs: settings.decodeMs,
      onDecoded: (seconds) => metrics.decodeSeconds.observe(seconds),
      onReplaced: (reason) => {
        metrics.decodersReplaced.inc();
        onReplaced?.(reason);
      },
    });
    for (const model of models)
      model.onReplaced?.((reason) => {
        metrics.modelsReplaced.inc({ model: model.name });
        onReplaced?.(reason, model.name);
      });
    const bodies = openBodyReader({ timeoutMs: settings.deadlineMs });
    return new Service({ settings, hosted, images, bodies, metrics });
  }

  /** The named model, or the first. @throws RequestError 404 listing the models. */
  find(name?: string): Hosted {
    const hosted = name === undefined ? [...this.hosted.values()][0] : this.hosted.get(name);
    if (hosted) return hosted;
    const names = [...this.hosted.keys()].map((key) => `'${key}'`).join(', ');
    throw new RequestError(404, `no model '${(name ?? '').slice(0, 100)}'; the models are ${names}`);
  }

  /** @throws RequestError while the server drains. */
  refuseWhenDraining(): void {
    if (!this.draining) return;
    throw new RequestError(503, 'the server is shutting down', {
      retryAfterSeconds: 1,
      reason: 'draining',
    });
  }

  /** Why a model, or any of them, accepts nothing at the moment; undefined if it does. */
  unready(model?: ServedModel): string | undefined {
    if (this.draining) return 'the server is shutting down';
    const models = model ? [model] : Array.from(this.hosted.values(), (hosted) => hosted.model);
    const sick = models.find(({ healthy }) => healthy?.() === false);
    return sick && `'${sick.name}' does not respond, or is being started again`;
  }

  /** @throws RequestError if `unready` */
  refuseWhenUnready(model?: ServedModel): void {
    this.refuseWhenDraining();
    const reason = this.unready(model);
    if (reason !== undefined)
      throw new RequestError(503, reason, { retryAfterSeconds: 1, reason: 'unready' });
  }

  /**
   * Called before a body is read: whether the model's queue is full, or all queues if the model is not known yet.
   * @throws RequestError
   */
  refuseWhenFull(name: string | undefined): void {
    const queues = name === undefined ? [...this.hosted.values()] : [this.find(name)];
    if (queues.every(({ queue }) => queue.full)) throw (queues[0] as Hosted).queue.refusal();
  }

  /**
   * Takes a request through a model's queue: takes the ticket, runs `work` with it, and drops whatever has not started if that
   * fails.
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
    await this.bodies.close();
    for (const { model } of this.hosted.values()) await model.close();
  }
}

function host(model: ServedModel, settings: ServerSettings, metrics: Metrics): Hosted {
  const statistics = new ModelStatistics();
  const { name } = model;
  const queue = new BatchQueue<Values, Float32Array>({
    maxBatch: model.batch,
    waitMs: settings.waitMs,
    capacity: settings.queue ?? queueFor(model.batch),
    capacityInOverload: settings.queue ?? model.batch,
    run: (rows) => runRows(model, rows),
    // The values of a row are no numbers: the network's answer to that image alone.
    isOfRow: (error) => error instanceof ModelError || error instanceof DeployError,
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

/**
 * Runs rows of several requests as one batch and splits the results.
 * @throws RequestError 500 with the reason if the model has no answer, such as outputs that are not numbers
 */
async function runRows(model: ServedModel, rows: readonly Values[]): Promise<Float32Array[]> {
  const results = await model.run(concatenate(rows)).catch((error) => {
    if (!(error instanceof InceptionError) || error instanceof RequestError) throw error;
    // Clients know the model by its name; where its file lies is not for them.
    throw new RequestError(500, `'${model.name}': ${error.message.replace(`${model.source}: `, '')}`);
  });
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
