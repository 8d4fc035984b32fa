/**
 * Checksums of a safetensors file, as one entry of its metadata that other programs ignore: CRC-32 in eight hexadecimal digits,
 * first of the header (with zeros in the place of this entry), then of each tensor in the order of the file. The entry comes
 * first in the header, so that it can be filled in where it is once the tensors have been written.
 */
import { crc32 } from 'node:zlib';
import { SafetensorsError } from './header.ts';

export const checksumKey = 'inception.crc32';

const digits = 8;
const begin = new TextEncoder().encode(`${' '.repeat(8)}{"__metadata__":{"${checksumKey}":"`).length;

/** The entry before its values are known. */
export const noChecksums = (tensors: number): string => '0'.repeat(digits * (tensors + 1));

const hexadecimal = (checksum: number): string => checksum.toString(16).padStart(digits, '0');

/** Fills in the entry of an encoded header. */
export function fillChecksums(header: Uint8Array, tensors: readonly number[]): void {
  const text = [crc32(header), ...tensors].map(hexadecimal).join('');
  header.set(new TextEncoder().encode(text), begin);
}

/** Refuses a tensor's bytes if they are not those that were written. */
export type Verify = (name: string, bytes: Uint8Array) => void;

/**
 * Checks a header that has the entry `value` and returns the check of its tensors.
 * @throws SafetensorsError if the header is not as it was written.
 */
export function verifyHeader(header: Uint8Array, value: string, names: readonly string[]): Verify {
  const inPlace = new TextDecoder().decode(header.subarray(begin, begin + value.length)) === value;
  const blank = header.slice();
  if (inPlace) blank.fill(0x30, begin, begin + value.length);
  const [expected, ...tensors] = value.match(/.{8}/gs) ?? [];
  if (!inPlace || tensors.length !== names.length || hexadecimal(crc32(blank)) !== expected)
    throw new SafetensorsError(
      `its header does not match its checksum: the file is damaged, or was rewritten by a program that should have left out '${checksumKey}' of its metadata`,
    );
  const checksums = new Map(names.map((name, index) => [name, tensors[index]]));
  return (name, bytes) => {
    const received = hexadecimal(crc32(bytes));
    if (received !== checksums.get(name))
      throw new SafetensorsError(
        `tensor '${name}' does not match its checksum: expected ${checksums.get(name)}, received ${received}; the file is damaged`,
      );
  };
}
