/** One line of log and one observation for each request; and a bound on what is being received at the same time. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Service } from '../service.ts';
import { RequestError } from './request-error.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** Kept from the beginning of a request to its end. */
    inception: { begin: number; reason?: string };
  }
  interface FastifyInstance {
    /** Requests that are not answered yet. */
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
      // A route that there is not has no name; the address would make as many series as there are strangers.
      const route = routeOptions.url ?? 'none';
      const gone = !raw.writableFinished;
      const status = gone ? 499 : raw.statusCode;
      const { reason } = reply.inception;
      metrics.requestSeconds.observe({ method, route, status: String(status) }, seconds);
      if (gone) metrics.cancelled.inc();
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
        gone ? 'the client left' : 'answered',
      );
    });
    metrics.receivedBytes.inc(bytes);
    if (bytes > settings.bodyBytes)
      throw new RequestError(413, `the body has ${bytes} bytes; at most ${settings.bodyBytes} are taken`);
    if (receiving > settings.receivingBytes)
      throw new RequestError(503, 'too much is being received at the moment; come again later', {
        retryAfterSeconds: 1,
        reason: 'receiving',
      });
  });
}

/** A body without a length may be as long as any. */
function announcedBytes({ headers }: FastifyRequest, most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most;
  const length = Number(headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) && length >= 0 ? length : 0;
}
