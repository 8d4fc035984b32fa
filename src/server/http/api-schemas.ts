/**
 * OpenAPI descriptions of the routes. They are documentation only: the handlers validate, because their messages say what was
 * expected and what was received.
 */
import { imageTypes } from '../protocol/classify-request.ts';

const error = {
  description: 'What was expected and what was received.',
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string' } },
} as const;

const busy = {
  ...error,
  description:
    'The queue is full, the deadline passed, or the server is shutting down; the Retry-After header says when to retry.',
} as const;

const errors = { 400: error, 401: error, 404: error, 413: error, 415: error, 503: busy } as const;

const secured = [{ token: [] }];
const number = { type: 'number' } as const;
const text = { type: 'string' } as const;
const anything = { type: 'object', additionalProperties: true } as const;

const choices = {
  model: { ...text, description: "Name of the model; default: the server's first model." },
  top: { type: 'integer', minimum: 1, default: 5, description: 'Labels per image.' },
} as const;

const image = { type: 'string', format: 'binary' } as const;

export const classifySchema = {
  summary: 'The most probable labels of images',
  description:
    'JPEG, PNG or WebP files of at most 50 megapixels: one as the body, several as a multipart form, or base64 in JSON.',
  tags: ['images'],
  security: secured,
  querystring: { type: 'object', properties: choices },
  body: {
    content: {
      ...Object.fromEntries(imageTypes.map((type) => [type, { schema: image }])),
      'multipart/form-data': {
        schema: {
          type: 'object',
          properties: { ...choices, image: { type: 'array', items: image } },
        },
      },
      'application/json': {
        schema: {
          type: 'object',
          required: ['images'],
          additionalProperties: false,
          properties: {
            ...choices,
            images: { type: 'array', items: { type: 'string', contentEncoding: 'base64' } },
          },
        },
      },
    },
  },
  response: {
    200: {
      description: 'Labels of each image, most probable first; an error for those that cannot be decoded.',
      type: 'object',
      properties: {
        model: text,
        results: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              name: text,
              error: { ...text, description: 'Instead of labels: why the image cannot be decoded.' },
              labels: {
                type: 'array',
                items: {
                  type: 'object',
                  properties: { label: text, id: text, index: { type: 'integer' }, probability: number },
                },
              },
            },
          },
        },
      },
    },
    ...errors,
  },
} as const;

const tensor = {
  type: 'object',
  required: ['name', 'shape', 'datatype'],
  properties: {
    name: text,
    shape: { type: 'array', items: { type: 'integer' } },
    datatype: text,
    parameters: anything,
    data: { type: 'array', items: {} },
  },
} as const;

export const inferSchema = {
  summary: 'Inference (Open Inference Protocol v2)',
  description:
    'Supports the binary tensor data extension (the header Inference-Header-Content-Length gives the length of the JSON before the binary data) and the classification extension.',
  tags: ['Open Inference Protocol'],
  security: secured,
  body: {
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['inputs'],
          properties: {
            id: text,
            parameters: anything,
            inputs: { type: 'array', items: tensor },
            outputs: {
              type: 'array',
              items: {
                type: 'object',
                required: ['name'],
                properties: { name: text, parameters: anything },
              },
            },
          },
        },
      },
      'application/octet-stream': { schema: image },
    },
  },
  response: {
    200: {
      description: 'The outputs.',
      type: 'object',
      properties: {
        model_name: text,
        model_version: text,
        id: text,
        outputs: { type: 'array', items: tensor },
      },
    },
    ...errors,
  },
} as const;

/** A route that returns an object and takes no body. */
export const readSchema = (
  summary: string,
  { tag = 'Open Inference Protocol', open = false }: { tag?: string; open?: boolean } = {},
) => ({
  summary,
  tags: [tag],
  ...(!open && { security: secured }),
  response: { 200: { description: summary, ...anything }, 404: error, 503: busy },
});

export const metricsSchema = {
  summary: 'Metrics for Prometheus',
  tags: ['operation'],
  security: secured,
  response: {
    200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: text } } },
  },
};
