/** Cross-origin requests (CORS): which pages may read responses. Nothing is allowed unless `cors` lists origins. */
import type { FastifyInstance } from 'fastify';
import { allowsOrigin } from './allowed-hosts.ts';

/** What pages may send, and which headers of a response they may read. */
const allowed = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers':
    'authorization, content-type, content-encoding, inference-header-content-length',
  'access-control-max-age': '600',
} as const;
const exposed = 'inference-header-content-length, retry-after';

/** Answers preflight requests before anything else, because they carry no token. */
export function allowCrossOrigin(app: FastifyInstance, cors: readonly string[]): void {
  if (cors.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    // A cache must not give one origin's response to another.
    if (!cors.includes('*')) reply.header('vary', 'origin');
    if (origin === undefined || !allowsOrigin(cors, origin)) return;
    reply.header('access-control-allow-origin', cors.includes('*') ? '*' : origin);
    reply.header('access-control-expose-headers', exposed);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
      return;
    reply.headers(allowed);
    // Chromium asks this before a public page may reach a private address.
    if (request.headers['access-control-request-private-network'] === 'true')
      reply.header('access-control-allow-private-network', 'true');
    await reply.code(204).send();
  });
}
