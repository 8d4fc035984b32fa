/** Compressed bodies, which Triton's clients send and accept: gzip and deflate, decompressed up to a limit. */
import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { RequestError } from './request-error.ts';

const decompressors = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;
const compressors = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

export type Encoding = keyof typeof decompressors;

const isEncoding = (text: string): text is Encoding => text in decompressors;

/** @throws RequestError when the encoding is not supported, the data are corrupt, or they exceed `maxBytes`. */
export async function decompress(
  body: Uint8Array,
  { encoding, maxBytes }: { encoding: string | undefined; maxBytes: number },
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return body;
  if (!Object.hasOwn(decompressors, name) || !isEncoding(name))
    throw new RequestError(
      415,
      `Content-Encoding: expected gzip or deflate, received '${name.slice(0, 40)}'`,
    );
  try {
    return await decompressors[name](body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new RequestError(413, `the body is larger than ${maxBytes} bytes when decompressed`);
    throw new RequestError(
      400,
      `the body is not what its Content-Encoding says (${(error as Error).message})`,
    );
  }
}

/** A body that fits one network packet is not compressed. */
const minBytes = 1400;

/** Compresses a body with the first supported encoding of Accept-Encoding. */
export async function compress(
  body: Uint8Array,
  accepted: string | undefined,
): Promise<{ body: Uint8Array; encoding: Encoding | undefined }> {
  const encoding =
    body.length < minBytes
      ? undefined
      : accepted
          ?.toLowerCase()
          .split(',')
          .filter((item) => !/;\s*q=0(\.0*)?\s*$/.test(item))
          .map((item) => item.split(';')[0]?.trim() ?? '')
          .find((item): item is Encoding => item === 'gzip' || item === 'deflate');
  return encoding ? { body: await compressors[encoding](body), encoding } : { body, encoding: undefined };
}
