/**
 * Decompression of untrusted Snappy blocks. snappyjs trusts lengths: a literal of 2^31 bytes sends it billions of steps backwards,
 * and a block that is shorter than declared is filled with zeros. The elements are therefore validated first.
 * Format: https://github.com/google/snappy/blob/main/format_description.txt
 */
import snappy from 'snappyjs';
import { WeightsError } from '../tensor-file.ts';

/** snappyjs uses signed 32-bit arithmetic. */
const maxLength = 2 ** 31 - 1;

/** @throws WeightsError if the bytes are not valid Snappy, or would exceed `maxBytes`. */
export function uncompressSnappy(compressed: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  const { length, start } = uncompressedLength(compressed);
  const limit = Math.min(maxBytes, maxLength);
  if (length > limit) {
    throw new WeightsError(`a compressed block would have ${length} bytes, the limit is ${limit}`);
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
  for (let index = 0; index < 5 && index < compressed.length; index++) {
    const byte = compressed[index] as number;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { length, start: index + 1 };
  }
  throw new WeightsError('a compressed block does not begin with its length');
}

/** Bytes after the tag that hold the offset of a copy, by the tag's two low bits. */
const offsetBytes = [0, 1, 2, 4];

function checkElements(elements: Uint8Array, length: number): void {
  let written = 0;
  for (let position = 0; position < elements.length; ) {
    const tag = elements[position++] as number;
    const kind = tag & 3;
    const high = tag >>> 2;
    if (kind === 0) {
      const extra = Math.max(high - 59, 0);
      const literal = 1 + (extra > 0 ? littleEndian(elements, { position, bytes: extra }) : high);
      position += extra + literal;
      written += literal;
    } else {
      const bytes = offsetBytes[kind] as number;
      const offset = littleEndian(elements, { position, bytes }) + (kind === 1 ? (high >>> 3) * 256 : 0);
      if (!(offset > 0 && offset <= written)) {
        throw new WeightsError(`a compressed block copies from ${offset} bytes back, only ${written} exist`);
      }
      position += bytes;
      written += kind === 1 ? (high & 7) + 4 : high + 1;
    }
    if (!(position <= elements.length)) throw new WeightsError('a compressed block ends within an element');
    if (written > length) break;
  }
  if (written !== length) {
    throw new WeightsError(`a compressed block should contain ${length} bytes, it contains ${written}`);
  }
}

/** NaN if the input ends early. */
function littleEndian(source: Uint8Array, { position, bytes }: { position: number; bytes: number }): number {
  let value = 0;
  for (let index = 0; index < bytes; index++) {
    value += (source[position + index] ?? Number.NaN) * 256 ** index;
  }
  return value;
}
