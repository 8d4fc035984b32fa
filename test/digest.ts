/** Digests of arrays, for comparisons: vitest's `toEqual` takes a microsecond for each number, and the tests compare millions. */
import { createHash } from 'node:crypto';

/** The bytes of an array as a short text: the same for the same bits. */
export const digest = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('base64');
