/** The HTTP server of `inception dashboard`: the page's static files, runs and models to be read, and trainings where they are allowed. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { InceptionError } from '../errors.ts';
import { RequestError } from '../server/http/request-error.ts';
import { aboutRun } from './about-run.ts';
import type { RunList } from './api.ts';
import { addControl } from './control/control-routes.ts';
import { RunEvents } from './events.ts';
import { readReport } from './experiments.ts';
import { ModelList } from './models.ts';
import { readNotes } from './notes.ts';
import { RunFileError } from './run-file.ts';
import {
  findRuns,
  listRuns,
  readEvaluation,
  readLabels,
  readMetrics,
  runFolders,
  Summaries,
} from './runs.ts';

/** The dashboard cannot start: the page is not built, or the port is taken. */
export class DashboardError extends InceptionError {
  override name = 'DashboardError';
}

export interface DashboardOptions {
  /** Folder of run folders, or one run. */
  readonly runs: string;
  /** An additional folder of .onnx files. */
  readonly models?: string | undefined;
  /** The built page. Default: the one in the package. */
  readonly page?: string;
  /** Host name or address, besides loopback, by which the page may be requested. */
  readonly host?: string;
  /** Whoever has it may stop, resume and start trainings. Default: nobody may. */
  readonly token?: string | undefined;
}

const builtPage = fileURLToPath(new URL('../../web/dist', import.meta.url));

/**
 * Sent with every response. The first two make the page cross-origin isolated, without which browsers run WebAssembly on one
 * thread. `wasm-unsafe-eval` permits compiling WebAssembly.
 */
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval' blob:",
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' blob: data:",
    "connect-src 'self' blob: data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
};

const loopback = ['localhost', '127.0.0.1', '[::1]'];

/** Creates the server, not yet listening. @throws DashboardError if the page has not been built. */
export async function createDashboard(options: DashboardOptions): Promise<FastifyInstance> {
  const page = options.page ?? builtPage;
  if (!existsSync(resolve(page, 'index.html'))) {
    throw new DashboardError(`${page}: there is no built page (index.html); run 'npm run setup'`);
  }
  const runs = resolve(options.runs);
  const models = new ModelList({ runs, models: options.models && resolve(options.models) });
  const events = new RunEvents(runs);
  const summaries = new Summaries();
  const app = fastify({
    forceCloseConnections: true,
    bodyLimit: 1024,
    // Two folders' names of 255 bytes and what parts them, each byte encoded in three.
    routerOptions: { maxParamLength: 1533 },
  });
  const hosts = new Set([...loopback, ...(options.host ? [options.host] : [])]);

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    // DNS rebinding: a foreign page whose host name resolves to 127.0.0.1 must not read the runs.
    if (options.host !== '0.0.0.0' && options.host !== '::' && !hosts.has(hostName(request.headers.host))) {
      await reply.code(403).send({ error: `the host '${request.headers.host}' is not served here` });
    }
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    // A file that is not served, or a request that is not one; both say what they are.
    const status =
      error instanceof RunFileError
        ? 422
        : error instanceof RequestError
          ? error.status
          : (error.statusCode ?? 500);
    return reply.code(status).send({ error: error.message });
  });
  app.addHook('preClose', async () => events.close());

  let reading: Promise<RunList> | undefined;
  // Asked twice at a time, folders are read once; what changes meanwhile is an event, after which the page asks again.
  const list = (): Promise<RunList> => {
    reading ??= listRuns(runs, summaries).finally(() => {
      reading = undefined;
    });
    return reading;
  };
  // While the browser starts: the first list of a thousand runs takes a second.
  app.addHook('onListen', async () => void list().catch(() => undefined));
  app.get('/api/runs', list);
  app.get<RunRequest>('/api/runs/:id/metrics', async (request, reply) => {
    const folder = (await runFolders(runs)).get(request.params.id);
    if (!folder) return notFound(reply, `run '${request.params.id}'`);
    const offset = Number(request.query.from ?? 0);
    if (!Number.isSafeInteger(offset) || offset < 0) {
      return reply
        .code(400)
        .send({ error: `from: expected an integer number of bytes, received '${request.query.from}'` });
    }
    return readMetrics(folder, offset);
  });
  for (const [name, read] of Object.entries({
    about: aboutRun,
    evaluation: readEvaluation,
    labels: readLabels,
    notes: readNotes,
  }))
    app.get<RunRequest>(`/api/runs/:id/${name}`, async (request, reply) => {
      const folder = (await runFolders(runs)).get(request.params.id);
      if (!folder) return notFound(reply, `run '${request.params.id}'`);
      // A run before its first evaluation is not an error, which browsers would log.
      return reply.type('application/json; charset=utf-8').send(JSON.stringify((await read(folder)) ?? null));
    });
  app.get<{ Params: { id: string } }>('/api/experiments/:id/report', async (request, reply) => {
    const { id } = request.params;
    const folder = (await findRuns(runs)).experiments.get(id);
    const report = folder && (await readReport(folder));
    if (report === undefined) return notFound(reply, `report of '${id}'`);
    // A folder may come from anywhere: nothing in it runs, or is the page's own.
    return reply
      .header('content-security-policy', "sandbox; default-src 'none'; style-src 'unsafe-inline'")
      .type('text/html; charset=utf-8')
      .send(report);
  });
  app.get('/api/events', (_, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    events.listen(reply.raw);
  });
  app.get('/api/models', async () => ({ models: await models.list() }));
  app.get<{ Params: { id: string } }>('/api/models/:id', async (request, reply) => {
    const model = await models.open(request.params.id);
    if (!model) return notFound(reply, `model '${request.params.id}'`);
    const { size } = await model.stat();
    // A file that grows meanwhile is cut: the page compares the length and the hash with the list's.
    const bytes = size === 0 ? Buffer.alloc(0) : model.createReadStream({ start: 0, end: size - 1 });
    if (size === 0) await model.close();
    return reply.type('application/octet-stream').header('content-length', size).send(bytes);
  });

  addControl(app, { runs, models: options.models && resolve(options.models), token: options.token });

  // Asset names contain a hash of their content; index.html must be revalidated.
  await app.register(fastifyStatic, {
    root: page,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const hashed = path.includes('/assets/');
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.setNotFoundHandler((request, reply) => notFound(reply, `page ${request.url}`));
  return app;
}

interface RunRequest {
  Params: { id: string };
  Querystring: { from?: string };
}

const notFound = (reply: FastifyReply, name: string) =>
  reply.code(404).send({ error: `there is no ${name}` });

/** `localhost` of `localhost:4000`. */
const hostName = (host: string | undefined): string => (host ?? '').replace(/:\d+$/, '').toLowerCase();

/** Listens. @returns the address to open. @throws DashboardError if the port is taken. */
export async function listen(
  app: FastifyInstance,
  { port, host }: { port: number; host: string },
): Promise<string> {
  try {
    const address = await app.listen({ port, host });
    return address.replace('[::]', 'localhost').replace('0.0.0.0', 'localhost');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new DashboardError(
        `port ${port} of ${host} is in use; choose another with --port, or --port 0 for any free port`,
      );
    }
    if (code === 'EACCES')
      throw new DashboardError(`port ${port}: no permission to listen on it; try --port 4180`);
    throw error;
  }
}
