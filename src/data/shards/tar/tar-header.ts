/**
 * One header of a tar archive: 512 bytes, in the forms of POSIX.1-1988 (ustar), GNU tar and the seventh edition of Unix. Pure.
 * Fields and types: POSIX.1-2017, pax, "ustar Interchange Format"; the GNU tar manual, "Basic Tar Format".
 */

export const blockBytes = 512;

/** What a header says. Names are as written: nothing is checked but numbers and the checksum. */
export interface TarHeader {
  readonly name: string;
  /** Bytes of the body, which is filled up to whole blocks. */
  readonly size: number;
  /** The type as a character; `0` where it is not set. */
  readonly type: string;
}

/** Why 512 bytes are no header, as a part of a sentence. */
export interface BadHeader {
  readonly problem: string;
}

/** The header in a block, `empty` for one of zeros, or what is wrong with it. */
export function readHeader(block: Uint8Array): TarHeader | BadHeader | 'empty' {
  if (block.every((byte) => byte === 0)) return 'empty';
  const stated = octal(block.subarray(148, 156));
  if (stated === undefined || !sums(block).includes(stated))
    return { problem: 'the checksum of a header is wrong' };
  const size = numberIn(block.subarray(124, 136));
  if (size === undefined) return { problem: 'the size of a member is no number' };
  // GNU tar writes other things into the place of the prefix, and says so by another magic.
  const isPosix = text(block.subarray(257, 263)) === 'ustar' && block[262] === 0;
  const prefix = isPosix ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156] as number);
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type };
}

/** The checksum's own field counts as spaces. Early tars added signed bytes. */
function sums(block: Uint8Array): readonly number[] {
  let unsigned = 8 * 0x20;
  let negative = 0;
  for (let at = 0; at < blockBytes; at++) {
    if (at >= 148 && at < 156) continue;
    const byte = block[at] as number;
    unsigned += byte;
    if (byte > 127) negative++;
  }
  return [unsigned, unsigned - 256 * negative];
}

/** A number in octal digits, or, with the highest bit set, as a big-endian integer (GNU). Undefined: neither, or not exact. */
function numberIn(field: Uint8Array): number | undefined {
  const [first = 0] = field;
  if ((first & 0x80) === 0) return octal(field);
  // The next bit is the sign.
  if ((first & 0x40) !== 0) return undefined;
  let value = first & 0x3f;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return value;
}

function octal(field: Uint8Array): number | undefined {
  const digits = /^[ ]*([0-7]+)[ \0]*$/.exec(String.fromCharCode(...field));
  return digits ? Number.parseInt(digits[1] as string, 8) : undefined;
}

/** Text up to the first zero: UTF-8, or, where it is none, Latin-1. */
export function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  const bytes = end < 0 ? field : field.subarray(0, end);
  try {
    return utf8.decode(bytes);
  } catch {
    return latin1.decode(bytes);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder('latin1');
