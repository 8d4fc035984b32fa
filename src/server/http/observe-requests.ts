/** One log line and one observation per request, and the bound on the bytes being received at the same time. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Service } from '../service.ts';
import { ReceiveBudget } from './receive-budget.ts';
import { RequestError } from './request-error.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** State of a request from start to end. */
    inception: { begin: number; bytes: number; reason?: string };
  }
  interface FastifyInstance {
    /** Requests not answered yet. */
    readonly openRequests: () => number;
  }
}

export function observeRequests(app: FastifyInstance, service: Service): void {
  const { metrics, settings } = service;
  const { receivingBytes, bodyBytes } = settings;
  const budget = new ReceiveBudget({ bytes: receivingBytes, perUpload: bodyBytes });
  let open = 0;
  app.decorate('openRequests', () => open);
  app.decorateReply('inception', null as unknown as { begin: number; bytes: number });

  app.addHook('onRequest', async (request, reply) => {
    const { raw } = reply;
    reply.inception = { begin: performance.now(), bytes: 0 };
    open++;
    raw.once('close', () => {
      open--;
      const { bytes } = reply.inception;
      metrics.receivedBytes.inc(bytes);
      const seconds = (performance.now() - reply.inception.begin) / 1000;
      const { method, routeOptions } = request;
      // Unknown routes share one label: the raw path would create unbounded time series.
      const route = routeOptions.url ?? 'none';
      const disconnected = !raw.writableFinished;
      const status = disconnected ? 499 : raw.statusCode;
      const { reason } = reply.inception;
      metrics.requestSeconds.observe({ method, route, status: String(status) }, seconds);
      if (disconnected) metrics.cancelled.inc();
      else if (status >= 400) metrics.refused.inc({ reason: reason ?? 'other' });
      const level = routeOptions.config.work || status >= 400 ? 'info' : 'debug';
      request.log[level](
        {
          method,
          route,
          status,
          ms: +(seconds * 1000).toFixed(1),
          bytes,
          ...(reason && { reason }),
        },
        disconnected ? 'the client disconnected' : 'answered',
      );
    });
    const announced = announcedBytes(request);
    if (announced > bodyBytes && announced !== Number.POSITIVE_INFINITY)
      throw new RequestError(413, `the body has ${announced} bytes; the limit is ${bodyBytes}`);
    if (announced > 0 && !budget.admits(addressOf(request)))
      throw new RequestError(503, 'the server is receiving too much data at the moment; try again later', {
        retryAfterSeconds: 1,
        reason: 'receiving',
      });
  });

  app.addHook('preParsing', (request, reply, payload, done) => {
    const announced = announcedBytes(request);
    if (announced > 0) {
      const { raw } = request;
      const upload = budget.open(addressOf(request), {
        pause: () => raw.pause(),
        resume: () => raw.resume(),
      });
      // Paused, so that a listener does not start the flow before the parser listens.
      raw.pause();
      raw.on('data', (chunk: Buffer) => {
        reply.inception.bytes += chunk.length;
        if (reply.inception.bytes >= announced) upload.finish();
        upload.add(chunk.length);
      });
      raw.once('end', () => upload.finish());
      reply.raw.once('close', () => upload.close());
    }
    done(null, payload);
  });
}

const addressOf = ({ socket }: FastifyRequest): string => socket.remoteAddress ?? '';

/** Infinity for a body without a declared length. */
function announcedBytes({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY;
  const length = Number(headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) && length >= 0 ? length : 0;
}
