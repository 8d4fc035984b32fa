/** Record files written by TensorFlow (test/fixtures/tfrecord/make.py), and such as it never writes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskedCrc32c } from '../../crc32c.ts';
import { RecordError } from './record-error.ts';
import type { RandomReader } from './record-reader.ts';
import { scanRecordFile, scanRecords } from './scan-records.ts';

const folder = new URL('../../../test/fixtures/tfrecord/', import.meta.url).pathname;

const readerOf = (bytes: Uint8Array): RandomReader => ({
  size: bytes.length,
  read: async (target, position) => target.set(bytes.subarray(position, position + target.length)),
});

const scan = (bytes: Uint8Array) => scanRecords(readerOf(bytes), 'a');

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

function record(data: Uint8Array, length = data.length): Buffer {
  const header = Buffer.alloc(8);
  header.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([header, uint32(maskedCrc32c(header)), data, uint32(maskedCrc32c(data))]);
}

/** A field of protocol buffers with a length. */
function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content as string);
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

const bytesFeature = (...values: string[]) => field(1, Buffer.concat(values.map((value) => field(1, value))));
/** Packed, as TensorFlow writes it. */
const integersFeature = (...values: number[]) => field(3, field(1, Buffer.from(values)));

const example = (features: Readonly<Record<string, Buffer>>): Buffer =>
  field(
    1,
    Buffer.concat(
      Object.entries(features).map(([name, value]) =>
        field(1, Buffer.concat([field(1, name), field(2, value)])),
      ),
    ),
  );

const image = { 'image/encoded': bytesFeature('JPEG'), 'image/class/label': integersFeature(7) };

describe('record files', () => {
  it.each(['train-00000-of-00002', 'train-00001-of-00002', 'validation-00000-of-00001'])(
    '%s: have the images, labels and names that TensorFlow reads of them',
    async (name) => {
      const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))[name];
      const bytes = await readFile(join(folder, name));
      const { images, labels, leftOut } = await scanRecordFile(join(folder, name));
      const textOf = new Map(labels.map(({ label, text }) => [label, text]));
      expect(
        images.map(({ path, length, label }) => ({
          label,
          text: textOf.get(label),
          filename: path.split('/')[1],
          bytes: length,
        })),
      ).toEqual(expected.map(({ pixelSum: _, ...rest }: { pixelSum: number }) => rest));
      for (const { offset, length } of images) {
        expect([...bytes.subarray(offset, offset + 3)]).toEqual([0xff, 0xd8, 0xff]);
        expect([...bytes.subarray(offset + length - 2, offset + length)]).toEqual([0xff, 0xd9]);
      }
      expect(leftOut).toEqual([]);
    },
  );

  it('keep every record but the one whose data were changed, which is named', async () => {
    const name = 'train-00000-of-00002';
    const bytes = await readFile(join(folder, name));
    const whole = await scan(bytes);
    const second = whole.images[1];
    const changed = (second?.offset ?? 0) + 100;
    bytes[changed] = (bytes[changed] as number) ^ 1;
    const { images, leftOut, lost } = await scan(bytes);
    expect(images).toEqual([whole.images[0], whole.images[2]]);
    expect([leftOut, lost]).toEqual([
      [{ what: 'damaged records (the checksum of its data is wrong)', count: 1, examples: ['a#1'] }],
      undefined,
    ]);
  });

  it('say how much cannot be read behind a damaged length, and of a file that is cut off', async () => {
    const [first, second] = [record(example(image)), record(example(image))];
    const changed = Buffer.from(second);
    changed[0] = 200;
    const { images, lost } = await scan(Buffer.concat([first, changed]));
    expect([images.length, lost]).toEqual([
      1,
      { bytes: second.length, reason: `the checksum of a length is wrong, at byte ${first.length}` },
    ]);
    const cut = await scan(Buffer.concat([first, second.subarray(0, 30)]));
    expect([cut.images.length, cut.lost?.reason]).toEqual([
      1,
      `the file is cut off within a record of ${second.length - 16} bytes, at byte ${first.length}`,
    ]);
    const short = await scan(Buffer.concat([first, second.subarray(0, 5)]));
    expect(short.lost?.reason).toContain('cut off within the length of a record');
  });

  it('are refused where they are compressed', async () => {
    await expect(scanRecordFile(join(folder, 'compressed.tfrecord.gz'), 'a.gz')).rejects.toThrow(
      'a.gz: is compressed by GZIP, so that no record can be read alone; write it without compression, or unpack it',
    );
    await expect(scan(Buffer.from([0x78, 0x9c, ...Buffer.alloc(50)]))).rejects.toThrow(
      'is compressed by ZLIB',
    );
  });

  it('are refused with the names of their features where these are others', async () => {
    const other = example({ image_raw: bytesFeature('x'), label: integersFeature(1) });
    await expect(scan(record(other))).rejects.toThrow(
      'a: none of its 1 records is a labelled image; expected the features image/encoded and image/class/label, received image_raw, label',
    );
    await expect(scan(Buffer.from('no records, but a text'))).rejects.toThrow('is no TFRecord file');
  });

  it.each<[string, Readonly<Record<string, Buffer>>]>([
    ['records without image/encoded', { 'image/class/label': integersFeature(1) }],
    ['records without image/class/label', { 'image/encoded': bytesFeature('x') }],
    ['records of several images', { ...image, 'image/encoded': bytesFeature('x', 'y') }],
    ['records of an empty image', { ...image, 'image/encoded': bytesFeature('') }],
    ['records of several labels', { ...image, 'image/class/label': integersFeature(1, 2) }],
    ['records of pixels (image/format raw)', { ...image, 'image/format': bytesFeature('RAW') }],
    [
      'records whose label is not from 0 to 1000000',
      {
        ...image,
        'image/class/label': field(3, field(1, Buffer.from([...Buffer.alloc(9, 0xff), 1]))),
      },
    ],
  ])('leave out and count %s', async (what, features) => {
    const { images, leftOut } = await scan(
      Buffer.concat([record(example(features)), record(example(image))]),
    );
    expect(images).toEqual([{ path: '#1', offset: expect.any(Number), length: 4, label: 7 }]);
    expect(leftOut).toEqual([{ what, count: 1, examples: ['a#0'] }]);
  });

  it('read integers that are not packed, as other writers write them', async () => {
    const label = field(3, Buffer.from([0x08, 0x85, 0x01]));
    const { images } = await scan(record(example({ ...image, 'image/class/label': label })));
    expect(images[0]?.label).toBe(133);
  });

  it('are refused where two synsets have one label', async () => {
    const of = (synset: string) => record(example({ ...image, 'image/class/synset': bytesFeature(synset) }));
    await expect(scan(Buffer.concat([of('n1'), of('n2')]))).rejects.toThrow(
      "a#1: label 7 is of synset 'n2'; before, it was of 'n1'",
    );
  });

  it('give images within them, or a RecordError, for any bytes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constant(Uint8Array.from(example(image)))), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
        async (datas, inside, anywhere) => {
          // Changes within data whose checksums are right reach the reader of the message.
          const first = Uint8Array.from(datas[0] as Uint8Array);
          for (const [at, value] of inside) first[at % Math.max(1, first.length)] = value;
          const bytes = Buffer.concat([first, ...datas.slice(1)].map((data) => record(data)));
          for (const [at, value] of anywhere) bytes[at % bytes.length] = value;
          const outcome = await scan(bytes).catch((error: unknown) => error);
          if (outcome instanceof RecordError) return;
          const { images } = outcome as Awaited<ReturnType<typeof scan>>;
          for (const { offset, length } of images) expect(offset + length).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 500 },
    ));
});
