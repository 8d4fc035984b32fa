/** The routes of the Open Inference Protocol v2 and of the extensions that Triton's clients ask for. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { modelVersion } from '../models/served-model.ts';
import { infer } from '../protocol/infer.ts';
import { modelConfig, modelMetadata, repositoryIndex, serverMetadata } from '../protocol/model-metadata.ts';
import type { Hosted, Service } from '../service.ts';
import { inferSchema, readSchema } from './api-schemas.ts';
import { clientSignal } from './client-signal.ts';
import { pack, unpack } from './content-encoding.ts';
import { RequestError } from './request-error.ts';

interface Address {
  readonly model: string;
  readonly version?: string;
}

export function addProtocolRoutes(
  app: FastifyInstance,
  { service, version }: { service: Service; version: string },
): void {
  const addressed = ({ params }: FastifyRequest): Hosted => {
    const { model, version: asked = modelVersion } = params as Address;
    const found = service.find(model);
    if (asked === modelVersion) return found;
    throw new RequestError(
      404,
      `'${model}' has no version '${asked.slice(0, 40)}'; its only one is ${modelVersion}`,
    );
  };
  const models = () => Array.from(service.hosted.values(), ({ model }) => model);
  const reportOf = ({ model: { name }, statistics }: Hosted) =>
    statistics.report({ name, version: modelVersion });

  app.get('/v2', { schema: readSchema('The server') }, async () => serverMetadata(version));
  const open = { config: { open: true } };
  app.get(
    '/v2/health/live',
    { ...open, schema: readSchema('Whether the process answers', { open: true }) },
    async () => ({ live: true }),
  );
  app.get(
    '/v2/health/ready',
    {
      ...open,
      schema: readSchema('Whether requests are taken; 503 while the server shuts down', { open: true }),
    },
    async () => {
      service.refuseWhenDraining();
      return { ready: true };
    },
  );
  app.get('/v2/models/stats', { schema: readSchema('What every model has done') }, async () => ({
    model_stats: Array.from(service.hosted.values(), reportOf),
  }));
  app.post('/v2/repository/index', { schema: readSchema('The models') }, async () =>
    repositoryIndex(models(), { ready: !service.draining }),
  );

  for (const base of ['/v2/models/:model', `/v2/models/:model/versions/:version`]) {
    app.get(base, { schema: readSchema('Inputs and outputs of a model') }, async (request) =>
      modelMetadata(addressed(request).model),
    );
    app.get(`${base}/ready`, { schema: readSchema('Whether a model takes requests') }, async (request) => {
      const { model } = addressed(request);
      service.refuseWhenDraining();
      return { name: model.name, ready: true };
    });
    app.get(`${base}/config`, { schema: readSchema("Triton's configuration of a model") }, async (request) =>
      modelConfig(addressed(request).model, service.settings),
    );
    app.get(`${base}/stats`, { schema: readSchema('What a model has done') }, async (request) => ({
      model_stats: [reportOf(addressed(request))],
    }));
    app.post(`${base}/infer`, { schema: inferSchema, config: { work: true } }, async (request, reply) => {
      const { headers } = request;
      const most = service.settings.bodyBytes;
      const packed = (request.body ?? new Uint8Array()) as Uint8Array;
      const answer = await infer(service, addressed(request), {
        body: await unpack(packed, { encoding: headers['content-encoding'], most }),
        headerLength: headers['inference-header-content-length'] as string | undefined,
        signal: clientSignal(reply),
      });
      const { body, encoding } = await pack(answer.body, headers['accept-encoding'] as string | undefined);
      if (encoding) reply.header('content-encoding', encoding);
      // The length of the JSON before it was packed, as the extension has it.
      if (answer.headerLength !== undefined)
        reply.header('inference-header-content-length', answer.headerLength);
      return reply
        .type(answer.headerLength === undefined ? 'application/json' : 'application/octet-stream')
        .send(body);
    });
  }
}
