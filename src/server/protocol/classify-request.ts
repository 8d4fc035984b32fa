/** The three bodies of `POST /classify`: one image, a multipart form of files, and JSON with base64. */
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import { z } from 'zod';
import { describeIssues } from '../../parse-json.ts';
import { parseObject } from '../http/json.ts';
import { RequestError } from '../http/request-error.ts';

export interface ClassifyRequest {
  /** Default: the server's first model. */
  readonly model?: string | undefined;
  /** Labels per image. Default 5. */
  readonly top?: number | undefined;
  readonly images: readonly NamedImage[];
}

export interface NamedImage {
  /** The client's file name, or the index: `image 2`. */
  readonly name: string;
  /** A JPEG, PNG or WebP file. */
  readonly bytes: Uint8Array;
}

export const imageTypes: readonly string[] = ['image/jpeg', 'image/png', 'image/webp'];

const names = z.string().max(200);
const topLabels = z.int().min(1).max(100_000);

const jsonSchema = z.strictObject({
  model: names.optional(),
  top: topLabels.optional(),
  images: z.array(z.string()),
});

/** `?model=…&top=…`; also as form fields or JSON keys. */
const choices = z.strictObject({
  model: names.optional(),
  top: z.coerce.number().pipe(topLabels).optional(),
});

export type Choices = Pick<ClassifyRequest, 'model' | 'top'>;

/** @throws RequestError naming every invalid key. */
export const readChoices = (query: unknown): Choices => checked(choices, query, 'query');

export const parseImage = (body: Uint8Array, query: Choices): ClassifyRequest => ({
  ...query,
  images: [{ name: 'image', bytes: body }],
});

/** `{"images": ["<base64>", …], "model": "…", "top": 5}` */
export function parseJson(body: Uint8Array, query: Choices): ClassifyRequest {
  const { images, ...fields } = checked(
    jsonSchema,
    parseObject(body, { what: 'body', maxValues: 10_000 }),
    'body',
  );
  return { ...query, ...fields, images: images.map(fromBase64) };
}

function fromBase64(text: string, index: number): NamedImage {
  // Buffer.from skips characters that are not base64, so that a URL would silently become a broken image.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new RequestError(
      400,
      `images.${index}: expected the base64 of a JPEG, PNG or WebP file, received '${text.slice(0, 30)}${text.length > 30 ? '…' : ''}'`,
    );
  return { name: `image ${index}`, bytes: Buffer.from(text, 'base64') };
}

/** Every file of a form is an image; the fields are `model` and `top`. The parser limits the size and number of files. */
export async function parseForm(
  parts: AsyncIterable<MultipartFile | MultipartValue>,
  { query, maxBytes }: { query: Choices; maxBytes: number },
): Promise<ClassifyRequest> {
  const images: NamedImage[] = [];
  const fields: Record<string, unknown> = {};
  let total = 0;
  for await (const part of parts) {
    if (part.type === 'file') {
      const bytes = await part.toBuffer();
      total += bytes.length;
      if (total > maxBytes) throw new RequestError(413, `the form is larger than ${maxBytes} bytes`);
      images.push({ name: part.filename?.slice(0, 200) || `image ${images.length}`, bytes });
    } else fields[part.fieldname] = part.value;
  }
  return { ...query, ...checked(choices, fields, 'form'), images };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: [what, ...path], message }));
  throw new RequestError(400, describeIssues(issues, { limit: 5 }));
}
