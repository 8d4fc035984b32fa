/** Prometheus metrics: base units, `_seconds`, `_bytes`, `_total`; labels are bounded, never taken from a request. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a millisecond to ten seconds, by factors of about two. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  // This process: memory, CPU time, file descriptors, event loop delay.
  collectDefaultMetrics({ register: registry });
  const seconds = <T extends string>(name: string, help: string, labelNames: T[]) =>
    new Histogram({ name, help, labelNames, buckets: secondsBuckets, registers });
  return {
    registry,
    requestSeconds: seconds(
      'inception_http_request_duration_seconds',
      'From the request line to the end of the response.',
      ['method', 'route', 'status'],
    ),
    receivedBytes: new Counter({
      name: 'inception_http_received_bytes_total',
      help: 'Request bodies, as sent.',
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
      help: 'Requests whose client disconnected before the response.',
      registers,
    }),
    images: new Counter({
      name: 'inception_images_total',
      help: 'Images processed by a model.',
      labelNames: ['model'],
      registers,
    }),
    batchImages: new Histogram({
      name: 'inception_batch_images',
      help: 'Images per batch.',
      labelNames: ['model'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    }),
    inferenceSeconds: seconds('inception_inference_duration_seconds', 'Inference of one batch.', ['model']),
    queueSeconds: seconds(
      'inception_queue_wait_seconds',
      'From entering the queue to the start of the batch.',
      ['model'],
    ),
    decodeSeconds: seconds('inception_decode_duration_seconds', 'Decoding and resizing one image.', []),
    decodersReplaced: new Counter({
      name: 'inception_decoders_replaced_total',
      help: 'Decoder processes that died or hung and were replaced.',
      registers,
    }),
    modelsReplaced: new Counter({
      name: 'inception_models_replaced_total',
      help: 'Processes of ONNX models that died or hung and were replaced.',
      labelNames: ['model'],
      registers,
    }),
    /** Evaluated when the metrics are read. */
    watchQueue: (waiting: () => ReadonlyMap<string, number>) =>
      new Gauge({
        name: 'inception_queue_images',
        help: 'Images waiting for their model or being decoded for it.',
        labelNames: ['model'],
        registers,
        collect() {
          for (const [model, count] of waiting()) this.set({ model }, count);
        },
      }),
  };
}
