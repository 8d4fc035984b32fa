/** The HTTP server around a service: limits, token, errors, the OpenAPI document and its page. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerPage from '@fastify/swagger-ui';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Service } from '../service.ts';
import { checkHost, checkOrigin } from './access/allowed-hosts.ts';
import { allowCrossOrigin } from './access/cross-origin.ts';
import { checkToken } from './access/token.ts';
import { metricsSchema } from './api-schemas.ts';
import { addClassifyRoute } from './classify-route.ts';
import { ClientDisconnected } from './client-signal.ts';
import { imagePage } from './image-page.ts';
import { observeRequests } from './observe-requests.ts';
import { addProtocolRoutes } from './protocol-routes.ts';
import { RequestError } from './request-error.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token, since probes have none. */
    readonly open?: boolean;
    /** Uses a model; refused early when the queue is full or the server drains. */
    readonly work?: boolean;
  }
}

export interface BuildServerOptions {
  readonly version: string;
  /** Whether only this machine reaches the server, so that, without a token, web pages have to be kept out. */
  readonly local: boolean;
  readonly log: { readonly level: string; readonly stream: { write(line: string): void } } | undefined;
}

export async function buildServer(
  service: Service,
  { version, local, log }: BuildServerOptions,
): Promise<FastifyInstance> {
  const { settings } = service;
  const app: FastifyInstance = fastify({
    logger: log ? { level: log.level, stream: log.stream } : false,
    // observe-requests.ts writes one line per request instead of fastify's two.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyBytes,
    requestTimeout: settings.receiveMs,
    http: {
      requestTimeout: settings.receiveMs,
      // Node.js swaps the two if this one is longer, and its default of one minute would be.
      headersTimeout: settings.receiveMs,
      // How often Node.js checks these timeouts.
      connectionsCheckingInterval: Math.min(1000, settings.receiveMs),
    },
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, _request, reply) => answerError(error, reply),
    clientErrorHandler: answerBadConnection,
  });
  // By default Node.js answers an unknown expectation with a bare status.
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const error = "the header Expect: only '100-continue' is supported";
    response.writeHead(417, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  });
  // The schemas are documentation; the handlers validate, with better messages.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, _request, reply) => answerError(error as FastifyError, reply));
  app.setNotFoundHandler((request) => {
    throw new RequestError(
      404,
      `no route ${request.method} ${request.url.slice(0, 100)}; GET /docs lists them`,
    );
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  await app.register(multipart, {
    limits: {
      fileSize: settings.bodyBytes,
      files: settings.images,
      fields: 8,
      parts: settings.images + 8,
      fieldSize: 1000,
      fieldNameSize: 100,
      headerPairs: 20,
    },
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'inception serve', description: 'Image classification.', version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
  });

  observeRequests(app, service);
  const guarded = local && settings.token === undefined;
  app.addHook('onRequest', async (request, reply) => {
    if (service.draining) reply.header('connection', 'close');
    if (guarded) checkHost(request.headers.host, settings.allowHosts);
  });
  allowCrossOrigin(app, settings.cors);
  app.addHook('onRequest', async (request) => {
    const { config, url = '' } = request.routeOptions;
    const isOpen = config.open === true || url.startsWith('/docs');
    if (settings.token !== undefined && !isOpen) checkToken(request.headers.authorization, settings.token);
    if (config.work !== true) return;
    if (guarded) checkOrigin(request.headers, settings.cors);
    // Before any of the body is read, so that a refusal costs next to nothing.
    service.refuseWhenDraining();
    service.refuseWhenFull(namedModel(request));
  });

  addClassifyRoute(app, { service });
  addProtocolRoutes(app, { service, version });
  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) => {
    const { registry } = service.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  // The plugin's default policy would make browsers upgrade to https, except on localhost.
  const policy = {
    'default-src': "'self'",
    'img-src': "'self' data:",
    'style-src': "'self' 'unsafe-inline'",
  };
  await app.register(swaggerPage, { routePrefix: '/docs', staticCSP: policy });
  app.get('/openapi.json', { config: { open: true }, schema: { hide: true } }, async () => app.swagger());
  const page = imagePage({ hasToken: settings.token !== undefined });
  app.get('/', { config: { open: true }, schema: { hide: true } }, async (_request, reply) =>
    reply.headers(page.headers).send(page.html),
  );
  await app.ready();
  return app;
}

/** The model named in the URL; a body that names another has not been read yet. */
function namedModel({ params, query }: FastifyRequest): string | undefined {
  const name = (params as { model?: string }).model ?? (query as { model?: unknown }).model;
  return typeof name === 'string' ? name : undefined;
}

/** Every error has the protocol's shape: `{"error": "…"}`. */
function answerError(
  error: FastifyError | RequestError | ClientDisconnected,
  reply: FastifyReply,
): FastifyReply {
  const { status, message } = statusOf(error);
  if (error instanceof RequestError) {
    reply.inception.reason = error.reason;
    if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds);
    if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  }
  if (status >= 500 && status !== 503) reply.log.error({ err: error }, 'a request failed');
  return reply.code(status).type('application/json').send({ error: message });
}

function statusOf(error: FastifyError | RequestError | ClientDisconnected): {
  status: number;
  message: string;
} {
  const { message } = error;
  if (error instanceof RequestError) return { status: error.status, message };
  // Nobody receives it; 499 is the status that proxies log for this.
  if (error instanceof ClientDisconnected) return { status: 499, message };
  const status = error.statusCode ?? 500;
  // Internal details go to the log only.
  return status >= 400 && status < 500
    ? { status, message }
    : { status: 500, message: 'internal error; see the server log' };
}

/** Bytes that are not HTTP never reach a route. */
function answerBadConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = slow
    ? '408 Request Timeout'
    : error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  const body = JSON.stringify({
    error: slow ? 'the request took too long to arrive' : 'not an HTTP request',
  });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
