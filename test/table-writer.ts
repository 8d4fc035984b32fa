/** Writes LevelDB tables for tests: TensorFlow writes only uncompressed ones, with blocks of 256 KB. */
import snappy from 'snappyjs';
import { maskedCrc32c } from '../src/crc32c.ts';
import type { ByteSource } from '../src/weights/byte-source.ts';
import { blockEntries } from '../src/weights/tensorflow/leveldb-table.ts';

export type KeyAndValue = readonly [key: Uint8Array, value: Uint8Array];

export interface TableStyle {
  readonly blockBytes?: number;
  readonly snappy?: boolean;
  readonly restartEvery?: number;
}

export const varint = (value: bigint): number[] =>
  value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)];

export function block(entries: readonly KeyAndValue[], restartEvery = 16): Uint8Array {
  const bytes: number[] = [];
  const restarts: number[] = [];
  entries.forEach(([key, value], index) => {
    const before = index % restartEvery === 0 ? undefined : entries[index - 1]?.[0];
    if (!before) restarts.push(bytes.length);
    let shared = 0;
    while (before && shared < key.length && shared < before.length && key[shared] === before[shared])
      shared++;
    for (const length of [shared, key.length - shared, value.length]) bytes.push(...varint(BigInt(length)));
    bytes.push(...key.subarray(shared), ...value);
  });
  if (restarts.length === 0) restarts.push(0);
  return Buffer.concat(
    [Uint8Array.from(bytes), Uint32Array.from([...restarts, restarts.length])].map(bytesOf),
  );
}

const bytesOf = (array: Uint8Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Blocks with their trailers, and a footer that points to the last one. */
export function tableOfBlocks(blocks: readonly { bytes: Uint8Array; type?: number }[]): Uint8Array {
  const stored = blocks.map(({ bytes, type = 0 }) =>
    withChecksum(Buffer.concat([bytes, Uint8Array.of(type)])),
  );
  const indexBytes = (blocks.at(-1) as { bytes: Uint8Array }).bytes.length;
  const offset = stored.slice(0, -1).reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([...stored, footer(handle(offset, indexBytes))]);
}

export const handle = (offset: number | bigint, size: number | bigint): Uint8Array =>
  Uint8Array.from([...varint(BigInt(offset)), ...varint(BigInt(size))]);

export function footer(index: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(48);
  bytes.set(index, 2);
  bytes.set([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb], 40);
  return bytes;
}

function withChecksum(bytes: Uint8Array): Uint8Array {
  const stored = Buffer.alloc(bytes.length + 4);
  stored.set(bytes);
  stored.writeUInt32LE(maskedCrc32c(bytes), bytes.length);
  return stored;
}

/** Entries must be sorted by key. */
export function writeTable(
  entries: readonly KeyAndValue[],
  { blockBytes = 4096, snappy: compressed = false, restartEvery = 16 }: TableStyle = {},
): Uint8Array {
  const store = (bytes: Uint8Array) =>
    compressed ? { bytes: snappy.compress(Uint8Array.from(bytes)), type: 1 } : { bytes };
  const groups: KeyAndValue[][] = [];
  let room = 0;
  for (const entry of entries) {
    if (room <= 0) {
      groups.push([]);
      room = blockBytes;
    }
    groups.at(-1)?.push(entry);
    room -= entry[0].length + entry[1].length;
  }
  let offset = 0;
  const blocks = groups.map((group) => store(block(group, restartEvery)));
  const index = blocks.map(({ bytes }, position): KeyAndValue => {
    const [lastKey] = (groups[position] as KeyAndValue[]).at(-1) as KeyAndValue;
    offset += bytes.length + 5;
    return [lastKey, handle(offset - bytes.length - 5, bytes.length)];
  });
  return tableOfBlocks([...blocks, store(block(index, 1))]);
}

/** Corrects the checksum of each block of a modified table. */
export function repairChecksums(changed: Uint8Array, ranges: readonly BlockRange[]): void {
  const view = new DataView(changed.buffer, changed.byteOffset, changed.byteLength);
  for (const { offset, size } of ranges) {
    view.setUint32(offset + size + 1, maskedCrc32c(changed.subarray(offset, offset + size + 1)), true);
  }
}

export interface BlockRange {
  readonly offset: number;
  readonly size: number;
}

export const memorySource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (position, length) => {
    if (position + length > bytes.length) throw new Error('read beyond the end of the file');
    return Uint8Array.from(bytes.subarray(position, position + length));
  },
  close: async () => undefined,
});

/** A source that records the ranges read from it. */
export function recordingSource(bytes: Uint8Array): { source: ByteSource; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const source = memorySource(bytes);
  return {
    reads,
    source: {
      ...source,
      read: (position, length) => {
        reads.push([position, length]);
        return source.read(position, length);
      },
    },
  };
}

/** The ranges of a table's blocks: data blocks first, then the index. */
export function blockRanges(table: Uint8Array): BlockRange[] {
  const numbers = readVarints(table, table.length - 48);
  const [, , offset, size] = numbers as [number, number, number, number];
  const stored = table.subarray(offset, offset + size);
  const index = table[offset + size] === 1 ? snappy.uncompress(Uint8Array.from(stored)) : stored;
  const ranges: BlockRange[] = [];
  for (const { value } of blockEntries(index)) {
    const [start, length] = readVarints(value, 0) as [number, number];
    ranges.push({ offset: start, size: length });
  }
  return [...ranges, { offset, size }];
}

function readVarints(bytes: Uint8Array, start: number): number[] {
  const numbers = [0];
  let shift = 0;
  for (const byte of bytes.subarray(start)) {
    numbers.push((numbers.pop() as number) + (byte & 0x7f) * 2 ** shift);
    shift = byte < 0x80 ? 0 : shift + 7;
    if (shift === 0) numbers.push(0);
  }
  return numbers;
}
