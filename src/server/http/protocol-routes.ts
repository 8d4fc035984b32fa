/** The routes of the Open Inference Protocol v2 and of the extensions that Triton's clients use. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { modelVersion } from '../models/served-model.ts';
import { infer } from '../protocol/infer.ts';
import { modelConfig, modelMetadata, repositoryIndex, serverMetadata } from '../protocol/metadata.ts';
import type { Hosted, Service } from '../service.ts';
import { inferSchema, readSchema } from './api-schemas.ts';
import { clientSignal } from './client-signal.ts';
import { compress, decompress } from './content-encoding.ts';
import { RequestError } from './request-error.ts';

interface Address {
  readonly model: string;
  readonly version?: string;
}

export function addProtocolRoutes(
  app: FastifyInstance,
  { service, version }: { service: Service; version: string },
): void {
  const hostedModel = ({ params }: FastifyRequest): Hosted => {
    const { model, version: requested = modelVersion } = params as Address;
    const hosted = service.find(model);
    if (requested === modelVersion) return hosted;
    throw new RequestError(
      404,
      `'${model}' has no version '${requested.slice(0, 40)}'; its only version is ${modelVersion}`,
    );
  };
  const models = () => Array.from(service.hosted.values(), ({ model }) => model);
  const reportOf = ({ model: { name }, statistics }: Hosted) =>
    statistics.report({ name, version: modelVersion });

  app.get('/v2', { schema: readSchema('Server metadata') }, async () => serverMetadata(version));
  const open = { config: { open: true } };
  app.get(
    '/v2/health/live',
    { ...open, schema: readSchema('Whether the process responds', { open: true }) },
    async () => ({ live: true }),
  );
  app.get(
    '/v2/health/ready',
    {
      ...open,
      schema: readSchema(
        'Whether requests are accepted; 503 while the server shuts down or a model is replaced',
        { open: true },
      ),
    },
    async () => {
      service.refuseWhenUnready();
      return { ready: true };
    },
  );
  app.get('/v2/models/stats', { schema: readSchema('Statistics of all models') }, async () => ({
    model_stats: Array.from(service.hosted.values(), reportOf),
  }));
  app.post('/v2/repository/index', { schema: readSchema('The models') }, async () =>
    repositoryIndex(models(), { unready: (model) => service.unready(model) }),
  );

  for (const base of ['/v2/models/:model', `/v2/models/:model/versions/:version`]) {
    app.get(base, { schema: readSchema('Inputs and outputs of a model') }, async (request) =>
      modelMetadata(hostedModel(request).model),
    );
    app.get(`${base}/ready`, { schema: readSchema('Whether a model accepts requests') }, async (request) => {
      const { model } = hostedModel(request);
      service.refuseWhenUnready(model);
      return { name: model.name, ready: true };
    });
    app.get(`${base}/config`, { schema: readSchema('Triton model configuration') }, async (request) =>
      modelConfig(hostedModel(request).model, service.settings),
    );
    app.get(`${base}/stats`, { schema: readSchema('Statistics of a model') }, async (request) => ({
      model_stats: [reportOf(hostedModel(request))],
    }));
    app.post(`${base}/infer`, { schema: inferSchema, config: { work: true } }, async (request, reply) => {
      const { headers } = request;
      const maxBytes = service.settings.bodyBytes;
      const compressed = (request.body ?? new Uint8Array()) as Uint8Array;
      const response = await infer(service, hostedModel(request), {
        body: await decompress(compressed, { encoding: headers['content-encoding'], maxBytes }),
        headerLength: headers['inference-header-content-length'] as string | undefined,
        signal: clientSignal(reply),
      });
      const { body, encoding } = await compress(
        response.body,
        headers['accept-encoding'] as string | undefined,
      );
      if (encoding) reply.header('content-encoding', encoding);
      // The length of the JSON before compression, as the extension defines it.
      if (response.headerLength !== undefined)
        reply.header('inference-header-content-length', response.headerLength);
      return reply
        .type(response.headerLength === undefined ? 'application/json' : 'application/octet-stream')
        .send(body);
    });
  }
}
