import fc from 'fast-check';
import snappy from 'snappyjs';
import { describe, expect, it } from 'vitest';
import {
  block,
  footer,
  handle,
  type KeyAndValue,
  memorySource,
  recordingSource,
  tableOfBlocks,
  varint,
  writeTable,
} from '../../../test/table-writer.ts';
import { crc32c, maskedCrc32c } from '../../crc32c.ts';
import { WeightsError } from '../tensor-file.ts';
import { isTable, openTable } from './leveldb-table.ts';
import { sliceKey } from './ordered-code.ts';
import { uncompressSnappy } from './snappy.ts';

const text = (value: string) => new TextEncoder().encode(value);

async function readAll(table: Uint8Array): Promise<KeyAndValue[]> {
  const entries: KeyAndValue[] = [];
  for await (const { key, value } of (await openTable(memorySource(table))).entries()) {
    entries.push([Uint8Array.from(key), Uint8Array.from(value)]);
  }
  return entries;
}

const entries: fc.Arbitrary<KeyAndValue[]> = fc
  .uniqueArray(
    fc.tuple(
      fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom('a/b/c', 'a/b/d', 'a/b').map(text)),
      fc.uint8Array({ maxLength: 300 }),
    ),
    { selector: ([key]) => Buffer.from(key).toString('hex'), maxLength: 40 },
  )
  .map((all) => all.sort(([a], [b]) => Buffer.compare(a, b)));

const style = fc.record({
  blockBytes: fc.constantFrom(1, 100, 4096),
  snappy: fc.boolean(),
  restartEvery: fc.constantFrom(1, 2, 16),
});

describe('tables', () => {
  it('return whatever was written', async () => {
    await fc.assert(
      fc.asyncProperty(entries, style, async (written, how) => {
        const bytes = writeTable(written, how);
        expect(await readAll(bytes)).toEqual(written);
        const table = await openTable(memorySource(bytes));
        for (const [key, value] of written) {
          expect(Uint8Array.from((await table.find(key)) ?? [])).toEqual(value);
        }
        expect(await table.find(text('not there'))).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('are read block by block', async () => {
    const many = Array.from({ length: 50 }, (_, index): KeyAndValue => {
      return [text(`key ${10 + index}`), new Uint8Array(100)];
    });
    const bytes = writeTable(many, { blockBytes: 1000 });
    const { source, reads } = recordingSource(bytes);
    const table = await openTable(source);
    reads.length = 0;
    expect(await table.find(text('key 30'))).toEqual(new Uint8Array(100));
    expect(await table.find(text('key 31'))).toEqual(new Uint8Array(100));
    expect(reads.length).toBe(1);
    expect(reads[0]?.[1]).toBeLessThan(1500);
  });

  it('are recognised by their end', () => {
    const table = writeTable([]);
    expect(isTable(table.subarray(-48))).toBe(true);
    expect(isTable(table.subarray(-47))).toBe(false);
    expect(isTable(new Uint8Array(48))).toBe(false);
  });

  const data = { bytes: block([[text('a'), text('b')]]) };
  const index = (value: Uint8Array) => ({ bytes: block([[text('a'), value]]) });
  const rawBlock = (...bytes: number[]) => ({ bytes: Uint8Array.from(bytes) });
  /** A table whose only data block has these bytes before its one restart point. */
  const holding = (...entry: number[]) => {
    const bytes = Uint8Array.from(entry.concat([0, 0, 0, 0, 1, 0, 0, 0]));
    return tableOfBlocks([{ bytes }, index(handle(0, bytes.length))]);
  };
  const bomb = Uint8Array.from([...varint(2n ** 30n), 0, 0x61]);

  it.each<[string, Uint8Array, string]>([
    ['too few bytes', new Uint8Array(47), 'expected a table of at least 48 bytes, the file has 47'],
    ['another kind of file', new Uint8Array(100), 'magic number 0xdb4775248b80fb57'],
    ['an index beyond the file', footer(handle(0, 90)), 'a block of 90 bytes at byte 0 does not fit'],
    ['an index beyond 2^53', footer(handle(0, 2n ** 53n + 1n)), 'expected a number below 2^53 in a block'],
    ['an offset beyond 2^63', footer(handle(2n ** 64n - 1n, 1)), 'expected a number below 2^53 in a block'],
    ['an endless number', footer(new Uint8Array(30).fill(0xff)), 'has more than 10 bytes'],
    ['a damaged block', Buffer.concat([new Uint8Array(50), footer(handle(0, 40))]), 'should have checksum 0'],
    [
      'an unknown compression',
      tableOfBlocks([{ bytes: block([]), type: 2 }]),
      'has the compression 2, expected 0 (none) or 1 (Snappy)',
    ],
    ['a block of nothing', tableOfBlocks([rawBlock()]), 'expected a block of at least 4 bytes, received 0'],
    [
      'more restart points than a block can hold',
      tableOfBlocks([rawBlock(255, 255, 255, 255)]),
      'a block of 4 bytes cannot have 4294967295 restart points',
    ],
    [
      'blocks that overlap',
      tableOfBlocks([
        data,
        {
          bytes: block([
            [text('a'), handle(0, data.bytes.length)],
            [text('b'), handle(0, data.bytes.length)],
          ]),
        },
      ]),
      'the blocks of the table overlap',
    ],
    [
      'a key that shares too much',
      holding(1, 1, 0, 97),
      'a key shares 1 bytes with the previous one, which has 0',
    ],
    [
      'a key beyond its block',
      holding(0, 9, 0, 97),
      'a block ends within an entry: 9 bytes expected, 1 left',
    ],
    [
      'a value beyond its block',
      holding(0, 1, 9, 97),
      'a block ends within an entry: 9 bytes expected, 0 left',
    ],
    ['half an entry', holding(0), 'a block ends within a number'],
    [
      'a block that unfolds to a gigabyte',
      tableOfBlocks([{ bytes: bomb, type: 1 }]),
      'would have 1073741824 bytes, the limit is 16777216',
    ],
  ])('refuse %s', async (_, table, message) => {
    await expect(readAll(table)).rejects.toThrow(message);
    await expect(readAll(table)).rejects.toThrow(WeightsError);
  });

  it('refuse keys that expand to gigabytes', async () => {
    const long = [0, ...varint(10_000n), 0, ...new Array(10_000).fill(97)];
    for (let count = 0; count < 100_000; count++) long.push(...varint(10_000n), 0, 0);
    const bytes = Uint8Array.from([...long, 0, 0, 0, 0, 1, 0, 0, 0]);
    const sharing = tableOfBlocks([{ bytes }, index(handle(0, bytes.length))]);
    await expect(readAll(sharing)).rejects.toThrow('expected a table of at most 100000 keys');
    const table = await openTable(memorySource(sharing));
    await expect(table.find(text('a'))).rejects.toThrow('expected a block of at most 100000 keys');
  });
});

describe('snappy', () => {
  const repetitive = fc
    .array(fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.nat(200)))
    .map((parts) =>
      Uint8Array.from(parts.flatMap(([part, times]) => new Array(times).fill([...part]).flat())),
    );

  it('returns whatever was compressed', () => {
    fc.assert(
      fc.property(repetitive, (bytes) => {
        expect(uncompressSnappy(snappy.compress(bytes), bytes.length)).toEqual(bytes);
      }),
    );
  });

  it('throws a WeightsError for corrupt blocks, or returns the declared number of bytes', () => {
    fc.assert(
      fc.property(
        repetitive,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
        (bytes, damages) => {
          const compressed = snappy.compress(bytes);
          for (const [at, value] of damages) compressed[at % compressed.length] = value;
          try {
            uncompressSnappy(compressed, 1_000_000);
          } catch (error) {
            expect(error).toBeInstanceOf(WeightsError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each<[string, number[], string]>([
    ['no length', [], 'does not begin with its length'],
    ['an endless length', [255, 255, 255, 255, 255, 1], 'does not begin with its length'],
    ['a literal of 2^31 bytes', [9, 0xfc, 255, 255, 255, 127], 'ends within an element'],
    ['a literal that ends early', [9, 0x20, 1, 2], 'ends within an element'],
    ['a literal without its length', [9, 0xf4, 1], 'ends within an element'],
    ['a copy from before the beginning', [9, 0, 97, 0x01, 2], 'copies from 2 bytes back, only 1'],
    ['a copy from where it stands', [9, 0, 97, 0x01, 0], 'copies from 0 bytes back, only 1'],
    ['a copy without its offset', [9, 0, 97, 0x02, 1], 'copies from NaN bytes back'],
    ['less than it says', [9, 0, 97], 'should contain 9 bytes, it contains 1'],
    ['more than it says', [1, 4, 97, 98], 'should contain 1 bytes, it contains 2'],
    ['more than is allowed', [128, 128, 4], 'would have 65536 bytes, the limit is 1000'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => uncompressSnappy(Uint8Array.from(bytes), 1000)).toThrow(message);
  });
});

describe('crc32c', () => {
  // Values of RFC 3720, appendix B.4, and of the catalogue of CRCs by Greg Cook.
  it.each<[string, Uint8Array, number]>([
    ['nothing', new Uint8Array(), 0],
    ['123456789', text('123456789'), 0xe3069283],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 times 255', new Uint8Array(32).fill(255), 0x62a8ab43],
    ['0 to 31', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ])('of %s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('of two consecutive parts is that of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(50), (bytes, cut) => {
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
      }),
    );
  });

  it('is masked as in LevelDB', () => {
    // crc32c_test.cc and the formula of table_format.md
    expect(maskedCrc32c(new Uint8Array())).toBe(0xa282ead8);
  });
});

describe('keys of slices', () => {
  // By the rules of tensorflow/core/lib/strings/ordered_code.cc.
  it.each<[string, Parameters<typeof sliceKey>[0], number[]]>([
    ['a scalar', { name: 'a', extents: [] }, [0, 97, 0, 1, 0]],
    [
      'a whole vector',
      { name: 'a', extents: [{ start: 0, length: undefined }] },
      [0, 97, 0, 1, 1, 1, 0x80, 0x7f],
    ],
    ['a name with a zero', { name: '\0', extents: [] }, [0, 0, 0xff, 0, 1, 0]],
    [
      'numbers of two and three bytes',
      { name: '', extents: [{ start: 64, length: 8192 }] },
      [0, 0, 1, 1, 1, 0xc0, 0x40, 0xe0, 0x20, 0],
    ],
  ])('of %s', (_, slice, expected) => {
    expect([...sliceKey(slice)]).toEqual(expected);
  });
});
