/** IDX, the format of MNIST and Fashion-MNIST: a big-endian header, then unsigned bytes; usually gzipped. */

import { gunzipSync } from 'node:zlib';
import { DataError } from '../data-error.ts';

export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Larger than any real data set; keeps a malicious header or gzip stream from exhausting memory. */
const maxBytes = 2 ** 31;

/**
 * Reads an IDX array of unsigned bytes, gzipped or plain. `name` is used in error messages.
 * @throws DataError saying what was expected and what was received.
 */
export function readIdx(bytes: Uint8Array, name: string): IdxArray {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? unzip(bytes, name) : bytes;
  if (plain.length < 4)
    throw new DataError(`${name}: expected an IDX header, received ${plain.length} bytes`);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const type = plain[2] as number;
  const dimensions = plain[3] as number;
  if (view.getUint16(0) !== 0) {
    throw new DataError(
      `${name}: expected an IDX file to begin with two zero bytes, received ${hex(plain[0])} ${hex(plain[1])}`,
    );
  }
  if (type !== 0x08)
    throw new DataError(`${name}: expected IDX type 0x08 (unsigned bytes), received ${hex(type)}`);
  const header = 4 + 4 * dimensions;
  if (dimensions === 0 || plain.length < header) {
    throw new DataError(
      `${name}: the IDX header declares ${dimensions} dimensions but the file has ${plain.length} bytes`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== plain.length - header) {
    throw new DataError(
      `${name}: shape ${shape.join('×')} needs ${count} bytes, received ${plain.length - header}`,
    );
  }
  return { shape, data: plain.subarray(header) };
}

function unzip(bytes: Uint8Array, name: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    throw new DataError(`${name}: corrupt gzip file (${(error as Error).message})`, { cause: error });
  }
}

const hex = (byte: number | undefined): string => `0x${(byte ?? 0).toString(16).padStart(2, '0')}`;
