/** Packed bodies, as Triton's clients send and ask for them: gzip and deflate, unpacked to a limit. */
import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { RequestError } from './request-error.ts';

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;
const packers = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

export type Encoding = keyof typeof unpackers;

const isEncoding = (text: string): text is Encoding => text in unpackers;

/** @throws RequestError when the encoding is another, the data are broken, or there are more than `most` bytes. */
export async function unpack(
  body: Uint8Array,
  { encoding, most }: { encoding: string | undefined; most: number },
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return body;
  if (!Object.hasOwn(unpackers, name) || !isEncoding(name))
    throw new RequestError(
      415,
      `Content-Encoding: expected gzip or deflate, received '${name.slice(0, 40)}'`,
    );
  try {
    return await unpackers[name](body, { maxOutputLength: most });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new RequestError(413, `the body is larger than ${most} bytes when unpacked`);
    throw new RequestError(
      400,
      `the body is not what its Content-Encoding says (${(error as Error).message})`,
    );
  }
}

/** Below this a packet is a packet. */
const leastBytes = 1400;

/** The first encoding of Accept-Encoding that we have, and the body packed by it. */
export async function pack(
  body: Uint8Array,
  accepted: string | undefined,
): Promise<{ body: Uint8Array; encoding: Encoding | undefined }> {
  const encoding =
    body.length < leastBytes
      ? undefined
      : accepted
          ?.toLowerCase()
          .split(',')
          .filter((each) => !/;\s*q=0(\.0*)?\s*$/.test(each))
          .map((each) => each.split(';')[0]?.trim() ?? '')
          .find((each): each is Encoding => each === 'gzip' || each === 'deflate');
  return encoding ? { body: await packers[encoding](body), encoding } : { body, encoding: undefined };
}
