/** The route of `POST /classify`: chooses the reader of the body by its type. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type ClassifyRequest, classify } from '../protocol/classify.ts';
import { imageTypes, ofForm, ofJson, ofOneImage, readChoices } from '../protocol/classify-request.ts';
import type { Service } from '../service.ts';
import { classifySchema } from './api-schemas.ts';
import { clientSignal } from './client-signal.ts';
import { unpack } from './content-encoding.ts';
import { RequestError } from './request-error.ts';

export function addClassifyRoute(app: FastifyInstance, { service }: { service: Service }): void {
  app.post('/classify', { schema: classifySchema, config: { work: true } }, async (request, reply) => {
    const signal = clientSignal(reply);
    const asked = await read(request, service.settings.bodyBytes);
    return classify(service, asked, { signal });
  });
}

async function read(request: FastifyRequest, most: number): Promise<ClassifyRequest> {
  const choices = readChoices(request.query);
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data') return readForm(request, { choices, most });
  const encoding = request.headers['content-encoding'];
  const body = await unpack((request.body ?? new Uint8Array()) as Uint8Array, { encoding, most });
  if (type === 'application/json') return ofJson(body, choices);
  // What it really is, is seen when it is decoded.
  if (imageTypes.includes(type) || type === 'application/octet-stream') return ofOneImage(body, choices);
  throw new RequestError(
    415,
    `Content-Type: expected ${[...imageTypes, 'multipart/form-data'].join(', ')} or application/json, received ${type === '' ? 'none' : `'${type.slice(0, 60)}'`}`,
  );
}

async function readForm(
  request: FastifyRequest,
  { choices, most }: { choices: ReturnType<typeof readChoices>; most: number },
): Promise<ClassifyRequest> {
  try {
    return await ofForm(request.parts(), { query: choices, most });
  } catch (error) {
    if (error instanceof RequestError || typeof (error as { statusCode?: unknown }).statusCode === 'number')
      throw error;
    // The parser's own words about what is malformed.
    throw new RequestError(400, `form: ${(error as Error).message}`);
  }
}
