/**
 * The sorted string table of LevelDB, which both of TensorFlow's checkpoint formats are made of: blocks of keys and values,
 * an index block that tells the last key of each, and a footer. Opened, it holds its index; a data block is read when a key in it
 * is asked for. Files come from strangers: nothing is believed before it is held against the size of the file.
 * Format: https://github.com/google/leveldb/blob/main/doc/table_format.md
 */
import type { ByteSource } from '../byte-source.ts';
import { WeightsError } from '../tensor-file.ts';
import { maskedCrc32c } from './crc32c.ts';
import { uncompressSnappy } from './snappy.ts';

export const footerBytes = 48;

/** Behind every block: how it is compressed, and the checksum of both. */
const trailerBytes = 5;

/** What a table may unfold to, beyond the bytes of its file. */
const mostIndexBytes = 2 ** 24;
export const mostUnfoldedBytes = 2 ** 25;
/** Keys share their beginnings, so a small file may hold very many long ones. */
const mostKeyBytes = 2 ** 24;
const mostEntries = 100_000;
/** Blocks of many small values are kept for the next; a block with one large tensor is not. */
const mostKeptBytes = 2 ** 20;

const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/** Whether a file that ends with these bytes is a table; the last 48 of it are enough. */
export const isTable = (end: Uint8Array): boolean =>
  end.length >= footerBytes && magic.every((byte, index) => end[end.length - magic.length + index] === byte);

export interface TableEntry {
  /** Overwritten when the next entry is asked for. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Table {
  /** All of it, in order. @throws WeightsError */
  entries(): AsyncGenerator<TableEntry>;
  /** The value of exactly this key. @throws WeightsError */
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
      `expected a table of at least ${footerBytes} bytes, the file has ${source.size}; was it copied whole?`,
    );
  }
  const footer = await source.read(source.size - footerBytes, footerBytes);
  if (!isTable(footer)) {
    throw new WeightsError(
      'expected a table with the magic number 0xdb4775248b80fb57 at its end; it is another kind of file, or it was not copied whole',
    );
  }
  const cursor = new Cursor(footer);
  readHandle(cursor); // of the index of meta blocks, of which TensorFlow writes none
  const index = await readBlock(source, readHandle(cursor), mostIndexBytes);
  let last: { offset: number; values: ReadonlyMap<string, Uint8Array> } | undefined;
  return {
    async *entries() {
      let end = 0;
      let keyBytes = 0;
      let count = 0;
      for (const { value } of blockEntries(index)) {
        const handle = readHandle(new Cursor(value));
        // Else a thousand handles of one block would be a thousand times its work.
        if (handle.offset < end) throw new WeightsError('the blocks of the table overlap');
        end = handle.offset + handle.size + trailerBytes;
        for (const entry of blockEntries(await readBlock(source, handle))) {
          keyBytes += entry.key.length;
          count++;
          if (keyBytes > mostKeyBytes || count > mostEntries) {
            throw new WeightsError(
              `expected a table of at most ${mostEntries} keys with ${mostKeyBytes} bytes, received more`,
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
      last = undefined; // so that two blocks are never held
      const block = await readBlock(source, handle);
      const values = valuesByKey(block);
      if (block.length <= mostKeptBytes) last = { offset: handle.offset, values };
      return values.get(textOf(key));
    },
  };
}

/** Of the first block whose last key is not before this one. */
function handleFor(index: Uint8Array, key: Uint8Array): BlockHandle | undefined {
  for (const { key: lastKey, value } of blockEntries(index)) {
    if (Buffer.compare(lastKey, key) >= 0) return readHandle(new Cursor(value));
  }
  return undefined;
}

/** Latin-1, in which any bytes are a text of their own. */
const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');

function valuesByKey(block: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  let keyBytes = 0;
  for (const { key, value } of blockEntries(block)) {
    keyBytes += key.length;
    values.set(textOf(key), value);
    if (keyBytes > mostKeyBytes || values.size > mostEntries) {
      throw new WeightsError(`expected a block of at most ${mostEntries} keys with ${mostKeyBytes} bytes`);
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
  mostBytes = source.size + mostUnfoldedBytes,
): Promise<Uint8Array> {
  if (offset + size + trailerBytes > source.size - footerBytes) {
    throw new WeightsError(
      `a block of ${size} bytes at byte ${offset} does not fit in the file's ${source.size} bytes; was it copied whole?`,
    );
  }
  const bytes = await source.read(offset, size + trailerBytes);
  const expected = new DataView(bytes.buffer).getUint32(size + 1, true);
  const received = maskedCrc32c(bytes.subarray(0, size + 1));
  if (expected !== received) {
    throw new WeightsError(
      `the block at byte ${offset} should have the checksum ${expected}, its bytes give ${received}: the file is damaged, copy it again`,
    );
  }
  const compression = bytes[size] as number;
  const unfold = compressions[compression];
  if (!unfold) {
    throw new WeightsError(
      `the block at byte ${offset} has the compression ${compression}, expected 0 (none) or 1 (Snappy)`,
    );
  }
  return unfold(bytes.subarray(0, size), mostBytes);
}

/** By the number in a block's trailer. */
const compressions: readonly ((block: Uint8Array, mostBytes: number) => Uint8Array)[] = [
  (block) => block,
  uncompressSnappy,
];

/** The entries of a block, whose keys are given as what differs from the key before. */
export function* blockEntries(block: Uint8Array): Generator<TableEntry> {
  const cursor = new Cursor(block, entriesEnd(block));
  let key = new Uint8Array(256);
  let keyLength = 0;
  while (!cursor.atEnd) {
    const shared = cursor.varint();
    const differing = cursor.varint();
    const valueLength = cursor.varint();
    if (shared > keyLength) {
      throw new WeightsError(`a key shares ${shared} bytes with the one before, which has ${keyLength}`);
    }
    const rest = cursor.take(differing);
    keyLength = shared + differing;
    if (keyLength > key.length) {
      const longer = new Uint8Array(keyLength * 2);
      longer.set(key.subarray(0, shared));
      key = longer;
    }
    key.set(rest, shared);
    yield { key: key.subarray(0, keyLength), value: cursor.take(valueLength) };
  }
}

/** A block ends with the offsets of entries that share nothing, for searching, and their number. */
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
  #at = 0;

  constructor(bytes: Uint8Array, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Up to 64 bits are read; only numbers below 2^53 can be offsets or sizes of anything. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new WeightsError('a block ends within a number');
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new WeightsError('expected a number below 2^53 in a block');
        return value;
      }
    }
    throw new WeightsError('a number in a block has more than 10 bytes');
  }

  take(length: number): Uint8Array {
    if (length > this.#end - this.#at) {
      throw new WeightsError(
        `a block ends within an entry: ${length} bytes, ${this.#end - this.#at} are left`,
      );
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
