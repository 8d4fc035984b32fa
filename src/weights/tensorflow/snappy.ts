/**
 * Snappy blocks of files from strangers. snappyjs takes lengths on trust: a literal of 2^31 bytes sends it billions of steps
 * backwards, and a block that gives fewer bytes than it says comes back filled with zeros. So the elements are walked first.
 * Format: https://github.com/google/snappy/blob/main/format_description.txt
 */
import snappy from 'snappyjs';
import { WeightsError } from '../tensor-file.ts';

/** snappyjs computes with 32 bits and a sign. */
const largest = 2 ** 31 - 1;

/** @throws WeightsError if the bytes are not Snappy's, or would be more than `mostBytes`. */
export function uncompressSnappy(compressed: Uint8Array, mostBytes: number): Uint8Array<ArrayBuffer> {
  const { length, start } = uncompressedLength(compressed);
  const most = Math.min(mostBytes, largest);
  if (length > most) {
    throw new WeightsError(`a compressed block would have ${length} bytes, at most ${most} are allowed`);
  }
  checkElements(compressed.subarray(start), length);
  try {
    return snappy.uncompress(compressed);
  } catch (error) {
    throw new WeightsError(`a compressed block cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function uncompressedLength(compressed: Uint8Array): { length: number; start: number } {
  let length = 0;
  for (let at = 0; at < 5 && at < compressed.length; at++) {
    const byte = compressed[at] as number;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { length, start: at + 1 };
  }
  throw new WeightsError('a compressed block does not begin with its length');
}

/** Bytes behind the tag that say how far back a copy begins, by the tag's two low bits. */
const offsetBytes = [0, 1, 2, 4];

function checkElements(elements: Uint8Array, length: number): void {
  let written = 0;
  for (let at = 0; at < elements.length; ) {
    const tag = elements[at++] as number;
    const kind = tag & 3;
    const high = tag >>> 2;
    if (kind === 0) {
      const extra = Math.max(high - 59, 0);
      const literal = 1 + (extra > 0 ? littleEndian(elements, { at, bytes: extra }) : high);
      at += extra + literal;
      written += literal;
    } else {
      const bytes = offsetBytes[kind] as number;
      const offset = littleEndian(elements, { at, bytes }) + (kind === 1 ? (high >>> 3) * 256 : 0);
      if (!(offset > 0 && offset <= written)) {
        throw new WeightsError(`a compressed block copies from ${offset} bytes back, it has ${written}`);
      }
      at += bytes;
      written += kind === 1 ? (high & 7) + 4 : high + 1;
    }
    if (!(at <= elements.length)) throw new WeightsError('a compressed block ends within an element');
    if (written > length) break;
  }
  if (written !== length) {
    throw new WeightsError(`a compressed block should give ${length} bytes, it gives ${written}`);
  }
}

/** NaN where the bytes end before it. */
function littleEndian(source: Uint8Array, { at, bytes }: { at: number; bytes: number }): number {
  let value = 0;
  for (let index = 0; index < bytes; index++) {
    value += (source[at + index] ?? Number.NaN) * 256 ** index;
  }
  return value;
}
