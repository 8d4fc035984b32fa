/** Metrics for Prometheus: base units, `_seconds`, `_bytes`, `_total`; labels are bounded, never taken from a request. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a millisecond to ten seconds, by factors of about two. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  // Of this process: memory, processor time, file descriptors, delay of the event loop.
  collectDefaultMetrics({ register: registry });
  const seconds = <T extends string>(name: string, help: string, labelNames: T[]) =>
    new Histogram({ name, help, labelNames, buckets: secondsBuckets, registers });
  return {
    registry,
    requestSeconds: seconds(
      'inception_http_request_duration_seconds',
      'From the request line to the end of the answer.',
      ['method', 'route', 'status'],
    ),
    receivedBytes: new Counter({
      name: 'inception_http_received_bytes_total',
      help: 'Bodies of requests, as sent.',
      registers,
    }),
    refused: new Counter({
      name: 'inception_refused_requests_total',
      help: 'Requests answered with an error, by reason: queue_full, deadline, draining, too_large, invalid and so on.',
      labelNames: ['reason'],
      registers,
    }),
    cancelled: new Counter({
      name: 'inception_cancelled_requests_total',
      help: 'Requests whose client left before the answer.',
      registers,
    }),
    images: new Counter({
      name: 'inception_images_total',
      help: 'Images that went through a model.',
      labelNames: ['model'],
      registers,
    }),
    batchImages: new Histogram({
      name: 'inception_batch_images',
      help: 'Images of one batch.',
      labelNames: ['model'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    }),
    inferenceSeconds: seconds('inception_inference_duration_seconds', 'One batch in its model.', ['model']),
    queueSeconds: seconds(
      'inception_queue_wait_seconds',
      'From entering the queue to the start of the batch.',
      ['model'],
    ),
    decodeSeconds: seconds('inception_decode_duration_seconds', 'Decoding and resizing of one image.', []),
    decodersReplaced: new Counter({
      name: 'inception_decoders_replaced_total',
      help: 'Processes that decode images and died or hung.',
      registers,
    }),
    /** Read when it is asked for. */
    watchQueue: (waiting: () => ReadonlyMap<string, number>) =>
      new Gauge({
        name: 'inception_queue_images',
        help: 'Images that wait for their model, or are being decoded for it.',
        labelNames: ['model'],
        registers,
        collect() {
          for (const [model, count] of waiting()) this.set({ model }, count);
        },
      }),
  };
}
