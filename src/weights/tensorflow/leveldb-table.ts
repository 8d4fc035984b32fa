/**
 * The sorted string table of LevelDB, the basis of both of TensorFlow's checkpoint formats: blocks of keys and values, an index
 * block with the last key of each, and a footer. An open table holds its index; data blocks are read on demand. Files are
 * untrusted: everything is checked against the size of the file.
 * Format: https://github.com/google/leveldb/blob/main/doc/table_format.md
 */

import { maskedCrc32c } from '../../crc32c.ts';
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { uncompressSnappy } from './snappy.ts';

export const footerBytes = 48;

/** After every block: its compression and the checksum of both. */
const trailerBytes = 5;

/** Decompressed size limits, in addition to the bytes of the file. */
const maxIndexBytes = 2 ** 24;
export const maxUnpackedBytes = 2 ** 25;
/** Keys share prefixes, so that a small file may contain very many long ones. */
const maxKeyBytes = 2 ** 24;
const maxEntries = 100_000;
/** Blocks of many small values are cached; a block with one large tensor is not. */
const maxCachedBytes = 2 ** 20;

const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/** Whether a file that ends with these bytes is a table; its last 48 bytes suffice. */
export const isTable = (end: Uint8Array): boolean =>
  end.length >= footerBytes && magic.every((byte, index) => end[end.length - magic.length + index] === byte);

export interface TableEntry {
  /** Overwritten when the next entry is read. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Table {
  /** All entries, in order. @throws WeightsError */
  entries(): AsyncGenerator<TableEntry>;
  /** The value of this exact key. @throws WeightsError */
  find(key: Uint8Array): Promise<Uint8Array | undefined>;
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/** Reads the footer and the index. @throws WeightsError that does not name the file. */
export async function openTable(source: ByteSource): Promise<Table> {
  if (source.size < footerBytes) {
    throw new WeightsError(
      `expected a table of at least ${footerBytes} bytes, the file has ${source.size}; is the file complete?`,
    );
  }
  const footer = await source.read(source.size - footerBytes, footerBytes);
  if (!isTable(footer)) {
    throw new WeightsError(
      'expected a table with the magic number 0xdb4775248b80fb57 at its end; it is another kind of file, or incomplete',
    );
  }
  const cursor = new Cursor(footer);
  readHandle(cursor); // of the meta index, which TensorFlow leaves empty
  const index = await readBlock(source, readHandle(cursor), maxIndexBytes);
  let last: { offset: number; values: ReadonlyMap<string, Uint8Array> } | undefined;
  return {
    async *entries() {
      let end = 0;
      let keyBytes = 0;
      let count = 0;
      for (const { value } of blockEntries(index)) {
        const handle = readHandle(new Cursor(value));
        // Otherwise a thousand handles of one block would multiply the work.
        if (handle.offset < end) throw new WeightsError('the blocks of the table overlap');
        end = handle.offset + handle.size + trailerBytes;
        for (const entry of blockEntries(await readBlock(source, handle))) {
          keyBytes += entry.key.length;
          count++;
          if (keyBytes > maxKeyBytes || count > maxEntries) {
            throw new WeightsError(
              `expected a table of at most ${maxEntries} keys with ${maxKeyBytes} bytes, received more`,
            );
          }
          yield entry;
        }
      }
    },
    async find(key) {
      const handle = handleFor(index, key);
      if (!handle) return undefined;
      if (last?.offset === handle.offset) return last.values.get(textOf(key));
      last = undefined; // never hold two blocks
      const block = await readBlock(source, handle);
      const values = valuesByKey(block);
      if (block.length <= maxCachedBytes) last = { offset: handle.offset, values };
      return values.get(textOf(key));
    },
  };
}

/** Handle of the first block whose last key is not before this one. */
function handleFor(index: Uint8Array, key: Uint8Array): BlockHandle | undefined {
  for (const { key: lastKey, value } of blockEntries(index)) {
    if (Buffer.compare(lastKey, key) >= 0) return readHandle(new Cursor(value));
  }
  return undefined;
}

/** Latin-1, which represents any bytes uniquely. */
const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');

function valuesByKey(block: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  let keyBytes = 0;
  for (const { key, value } of blockEntries(block)) {
    keyBytes += key.length;
    values.set(textOf(key), value);
    if (keyBytes > maxKeyBytes || values.size > maxEntries) {
      throw new WeightsError(`expected a block of at most ${maxEntries} keys with ${maxKeyBytes} bytes`);
    }
  }
  return values;
}

function readHandle(cursor: Cursor): BlockHandle {
  return { offset: cursor.varint(), size: cursor.varint() };
}

async function readBlock(
  source: ByteSource,
  { offset, size }: BlockHandle,
  maxBytes = source.size + maxUnpackedBytes,
): Promise<Uint8Array> {
  if (offset + size + trailerBytes > source.size - footerBytes) {
    throw new WeightsError(
      `a block of ${size} bytes at byte ${offset} does not fit in the file's ${source.size} bytes; is the file complete?`,
    );
  }
  const bytes = await source.read(offset, size + trailerBytes);
  const expected = new DataView(bytes.buffer).getUint32(size + 1, true);
  const received = maskedCrc32c(bytes.subarray(0, size + 1));
  if (expected !== received) {
    throw new WeightsError(
      `the block at byte ${offset} should have checksum ${expected}, its bytes give ${received}: the file is corrupt, copy it again`,
    );
  }
  const compression = bytes[size] as number;
  const unpack = compressions[compression];
  if (!unpack) {
    throw new WeightsError(
      `the block at byte ${offset} has the compression ${compression}, expected 0 (none) or 1 (Snappy)`,
    );
  }
  return unpack(bytes.subarray(0, size), maxBytes);
}

/** Indexed by the number in a block's trailer. */
const compressions: readonly ((block: Uint8Array, maxBytes: number) => Uint8Array)[] = [
  (block) => block,
  uncompressSnappy,
];

/** The entries of a block, whose keys are stored as differences from the previous key. */
export function* blockEntries(block: Uint8Array): Generator<TableEntry> {
  const cursor = new Cursor(block, entriesEnd(block));
  let key = new Uint8Array(256);
  let keyLength = 0;
  while (!cursor.atEnd) {
    const shared = cursor.varint();
    const suffixLength = cursor.varint();
    const valueLength = cursor.varint();
    if (shared > keyLength) {
      throw new WeightsError(`a key shares ${shared} bytes with the previous one, which has ${keyLength}`);
    }
    const suffix = cursor.take(suffixLength);
    keyLength = shared + suffixLength;
    if (keyLength > key.length) {
      const longer = new Uint8Array(keyLength * 2);
      longer.set(key.subarray(0, shared));
      key = longer;
    }
    key.set(suffix, shared);
    yield { key: key.subarray(0, keyLength), value: cursor.take(valueLength) };
  }
}

/** A block ends with the offsets of its restart points, and their number. */
function entriesEnd(block: Uint8Array): number {
  if (block.length < 4)
    throw new WeightsError(`expected a block of at least 4 bytes, received ${block.length}`);
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4, 4).getUint32(0, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) {
    throw new WeightsError(`a block of ${block.length} bytes cannot have ${restarts} restart points`);
  }
  return end;
}

class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position = 0;

  constructor(bytes: Uint8Array, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** Reads up to 64 bits; only numbers below 2^53 are valid offsets and sizes. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#position >= this.#end) throw new WeightsError('a block ends within a number');
      const byte = this.#bytes[this.#position++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new WeightsError('expected a number below 2^53 in a block');
        return value;
      }
    }
    throw new WeightsError('a number in a block has more than 10 bytes');
  }

  take(length: number): Uint8Array {
    if (length > this.#end - this.#position) {
      throw new WeightsError(
        `a block ends within an entry: ${length} bytes expected, ${this.#end - this.#position} left`,
      );
    }
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}
