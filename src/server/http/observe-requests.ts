/** One log line and one observation per request, and a bound on the bytes being received at the same time. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Service } from '../service.ts';
import { RequestError } from './request-error.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** State of a request from start to end. */
    inception: { begin: number; reason?: string };
  }
  interface FastifyInstance {
    /** Requests not answered yet. */
    readonly openRequests: () => number;
  }
}

export function observeRequests(app: FastifyInstance, service: Service): void {
  const { metrics, settings } = service;
  let [open, receiving] = [0, 0];
  app.decorate('openRequests', () => open);
  app.decorateReply('inception', null as unknown as { begin: number });

  app.addHook('onRequest', async (request, reply) => {
    const { raw } = reply;
    reply.inception = { begin: performance.now() };
    const bytes = announcedBytes(request, settings.bodyBytes);
    open++;
    receiving += bytes;
    raw.once('close', () => {
      open--;
      receiving -= bytes;
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
    metrics.receivedBytes.inc(bytes);
    if (bytes > settings.bodyBytes)
      throw new RequestError(413, `the body has ${bytes} bytes; the limit is ${settings.bodyBytes}`);
    if (receiving > settings.receivingBytes)
      throw new RequestError(503, 'the server is receiving too much data at the moment; try again later', {
        retryAfterSeconds: 1,
        reason: 'receiving',
      });
  });
}

/** A body without a declared length counts as the largest allowed. */
function announcedBytes({ headers }: FastifyRequest, maxBytes: number): number {
  if (headers['transfer-encoding'] !== undefined) return maxBytes;
  const length = Number(headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) && length >= 0 ? length : 0;
}
