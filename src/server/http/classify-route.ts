/** `POST /classify`: chooses the parser of the body by its content type. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { classify } from '../protocol/classify.ts';
import {
  type ClassifyRequest,
  imageTypes,
  parseForm,
  parseImage,
  readChoices,
} from '../protocol/classify-request.ts';
import type { Service } from '../service.ts';
import { classifySchema } from './api-schemas.ts';
import { clientSignal } from './client-signal.ts';
import { decompress } from './content-encoding.ts';
import { RequestError } from './request-error.ts';

export function addClassifyRoute(app: FastifyInstance, { service }: { service: Service }): void {
  app.post('/classify', { schema: classifySchema, config: { work: true } }, async (request, reply) => {
    const signal = clientSignal(reply);
    const classifyRequest = await read(request, { service, signal });
    return classify(service, classifyRequest, { signal });
  });
}

async function read(
  request: FastifyRequest,
  { service, signal }: { readonly service: Service; readonly signal: AbortSignal },
): Promise<ClassifyRequest> {
  const maxBytes = service.settings.bodyBytes;
  const choices = readChoices(request.query);
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data') return readForm(request, { choices, maxBytes });
  const encoding = request.headers['content-encoding'];
  const body = await decompress((request.body ?? new Uint8Array()) as Uint8Array, { encoding, maxBytes });
  if (type === 'application/json')
    return service.bodies.read({ kind: 'classify', body, options: { query: choices } }, { signal });
  // The actual format is detected when the image is decoded.
  if (imageTypes.includes(type) || type === 'application/octet-stream') return parseImage(body, choices);
  throw new RequestError(
    415,
    `Content-Type: expected ${[...imageTypes, 'multipart/form-data'].join(', ')} or application/json, received ${type === '' ? 'none' : `'${type.slice(0, 60)}'`}`,
  );
}

async function readForm(
  request: FastifyRequest,
  { choices, maxBytes }: { choices: ReturnType<typeof readChoices>; maxBytes: number },
): Promise<ClassifyRequest> {
  try {
    return await parseForm(request.parts(), { query: choices, maxBytes });
  } catch (error) {
    if (error instanceof RequestError || typeof (error as { statusCode?: unknown }).statusCode === 'number')
      throw error;
    // The parser's message says what is malformed.
    throw new RequestError(400, `form: ${(error as Error).message}`);
  }
}
