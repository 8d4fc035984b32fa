import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NamedTensor } from '../tensor-file.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  SafetensorsError,
  writeSafetensors,
} from './safetensors.ts';

/** A file of this header and so many data bytes. */
function file(header: string | Uint8Array, dataBytes = 0, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4]) =>
  JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });

const names = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('__proto__', 'constructor', 'a/b', ''),
);

const tensor: fc.Arbitrary<NamedTensor> = fc
  .record({
    name: names.filter((name) => name !== '__metadata__'),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    kind: fc.nat(3),
  })
  .chain(({ name, shape, kind }) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const of = { minLength: length, maxLength: length };
    const data = [
      fc.float32Array(of).map((values) => ({ dtype: 'F32', data: values })),
      fc.bigInt64Array(of).map((values) => ({ dtype: 'I64', data: values })),
      fc.uint16Array(of).map((values) => ({ dtype: 'BF16', data: values })),
      fc.uint8Array(of).map((values) => ({ dtype: 'BOOL', data: values })),
    ][kind] as fc.Arbitrary<{ dtype: string; data: NamedTensor['data'] }>;
    return data.map((values) => ({ name, shape, ...values }));
  });

const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 });
const metadata = fc.dictionary(names, fc.string({ unit: 'grapheme' }), { noNullPrototype: true });

describe('safetensors', () => {
  it('returns whatever was written', () => {
    fc.assert(
      fc.property(tensors, metadata, (written, about) => {
        const read = decodeSafetensors(encodeSafetensors(written, about));
        expect(read.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(
          written.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
        );
        read.tensors.forEach(({ data }, index) => {
          const original = (written[index] as NamedTensor).data;
          expect(Buffer.from(data.buffer)).toEqual(
            Buffer.from(original.buffer, original.byteOffset, original.byteLength),
          );
        });
        expect(new Map(Object.entries(about))).toEqual(read.metadata);
      }),
    );
  });

  it('throws a SafetensorsError for corrupt files, or reads them', () => {
    const damage = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.option(fc.nat()) });
    fc.assert(
      fc.property(tensors, fc.array(damage, { minLength: 1, maxLength: 3 }), (written, damages) => {
        let bytes: Uint8Array = Uint8Array.from(encodeSafetensors(written));
        for (const { at, value, cut } of damages) {
          bytes[at % bytes.length] = value;
          if (cut !== null) bytes = bytes.slice(0, (cut % bytes.length) + 1);
        }
        try {
          decodeSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[string, Uint8Array, string]>([
    ['too few bytes', new Uint8Array(7), 'expected at least 8 bytes, received 7'],
    [
      'a header that is too long for the format',
      file('{}', 0, 100_000_001n),
      'its header would have 100000001 bytes, the limit is 100000000',
    ],
    [
      'a header that is longer than the file',
      file('{}', 0, 90n),
      'its header would have 90 bytes, the whole file has 10',
    ],
    ['a header of nothing', file('', 0), 'its header would have 0 bytes, the minimum is 2'],
    ['a header that begins with a space', file(' {}'), "the header must begin with '{'"],
    [
      'a header that is not UTF-8',
      file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])),
      'the header is not UTF-8',
    ],
    [
      'a header that is not JSON',
      file('{"a":}'),
      'the header is not valid: expected \'{\' at character 5, received "}"',
    ],
    [
      'something after the header',
      file('{}x'),
      'the header is not valid: expected nothing after the header at character 2, received "x"',
    ],
    ['equal names', file(`{"a":${entry(0, 4)},"a":${entry(4, 8)}}`, 8), "the header has 'a' twice"],
    [
      'an overlap',
      file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12),
      "tensor 'b' overlaps the tensor before it: expected to begin at 8, begins at 4",
    ],
    [
      'a hole',
      file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12),
      "tensor 'b' leaves a hole before it: expected to begin at 4, begins at 8",
    ],
    [
      'data that nobody owns',
      file(`{"a":${entry(0, 4)}}`, 9),
      'the tensors need 4 bytes of data, the file has 9',
    ],
    [
      'a shape that needs other bytes',
      file(`{"a":${entry(0, 8, [3])}}`, 8),
      "tensor 'a': F32 [3] needs 12 bytes, its offsets give 8",
    ],
    [
      'a product beyond 2^53',
      file(`{"a":${entry(0, 8, [2 ** 40, 2 ** 40])}}`, 8),
      "tensor 'a': F32 [1099511627776, 1099511627776] needs",
    ],
    [
      'an offset beyond 2^53',
      file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}'),
      'expected a number below 2^53',
    ],
    [
      'a numeral like 1e3',
      file('{"a":{"dtype":"F32","shape":[1e3],"data_offsets":[0,4000]}}', 4000),
      'expected an integer in plain digits',
    ],
    [
      'a negative size',
      file('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4),
      'expected an integer at character',
    ],
    [
      'backward offsets',
      file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}', 4),
      "tensor 'a': data_offsets must be [begin, end], received [4, 0]",
    ],
    [
      'an unknown type',
      file('{"a":{"dtype":"Q4","shape":[],"data_offsets":[0,1]}}', 1),
      "tensor 'a' has an unknown dtype 'Q4'",
    ],
    [
      'a type called constructor',
      file('{"a":{"dtype":"constructor","shape":[],"data_offsets":[0,1]}}', 1),
      "unknown dtype 'constructor'",
    ],
    [
      'a missing key',
      file('{"a":{"dtype":"F32","shape":[]}}'),
      "tensor 'a' needs dtype, shape and data_offsets",
    ],
    ['an unknown key', file('{"a":{"dtyp":"F32"}}'), "tensor 'a' has an unknown key 'dtyp'"],
    ['metadata that are no strings', file('{"__metadata__":{"a":1}}'), 'expected a string at character'],
    [
      'a name of a million characters',
      file(`{"${'n'.repeat(1e6)}":${entry(0, 4)}}`, 4),
      'has 1000000 characters, the limit is 1024',
    ],
    [
      'a hundred thousand and one tensors',
      file(`{${Array.from({ length: 100_001 }, (_, index) => `"${index}":${entry(0, 0, [0])}`).join(',')}}`),
      'the header has more than 100000 tensors',
    ],
    [
      '65 dimensions',
      file(`{"a":${entry(0, 4, Array(65).fill(1))}}`, 4),
      'a shape of more than 64 dimensions',
    ],
    [
      'a string without an end',
      file(`{"a${'\\\\\\"'.repeat(10)}`),
      'expected a string that ends at character 1',
    ],
    ['half a surrogate pair', file('{"\\ud800":{}}'), 'the header has half a surrogate pair in "\\ud800"'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
    expect(() => decodeSafetensors(bytes)).toThrow(SafetensorsError);
  });

  it('accepts empty and 0-rank tensors, padding, and names like __proto__', () => {
    const header = `{"__proto__":${entry(0, 4, [])},"constructor":${entry(4, 4, [0, 7])}}   `;
    const { tensors: read } = decodeSafetensors(file(header, 4));
    expect(read.map(({ name, shape }) => [name, shape])).toEqual([
      ['__proto__', []],
      ['constructor', [0, 7]],
    ]);
  });

  it('reads metadata of 10 MB, with quotes and backslashes', () => {
    const text = 'a"\\'.repeat(2_500_000);
    const { metadata: read } = decodeSafetensors(file(JSON.stringify({ __metadata__: { text } })));
    expect(read.get('text') === text).toBe(true);
  });

  it('reads a hundred thousand empty tensors in proportion to their number', () => {
    const secondsFor = (length: number) => {
      const entries = Array.from({ length }, (_, index) => `"${index}":${entry(0, 0, [0])}`);
      const bytes = file(`{${entries.join()}}`);
      const begin = process.cpuUsage();
      expect(decodeSafetensors(bytes).tensors).toHaveLength(length);
      const { user, system } = process.cpuUsage(begin);
      return (user + system) / 1e6;
    };
    const few = Math.min(secondsFor(10_000), secondsFor(10_000), secondsFor(10_000));
    // Ten times as long, and some for the memory; with a search for each it would be a hundred times.
    expect(secondsFor(100_000)).toBeLessThan(40 * few);
  });
});

describe('files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inception-safetensors-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const values = Float32Array.of(1, 2, 3, 4, 5, 6);

  it('are written with aligned data and read one tensor at a time', async () => {
    const path = join(folder, 'a.safetensors');
    const tensors = [{ name: 'x', dtype: 'F32', shape: [2, 3], read: async () => values }];
    await writeSafetensors(path, { tensors, metadata: { format: 'pt' } });
    const bytes = await readFile(path);
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
    const opened = await openSafetensors(path);
    expect(opened.metadata.get('format')).toBe('pt');
    expect(await opened.read('x')).toMatchObject({ dtype: 'F32', shape: [2, 3], data: values });
    await expect(opened.read('y')).rejects.toThrow("a.safetensors: there is no tensor 'y'");
    await opened.close();
  });

  it('with checksums, refuse any byte that is not as it was written', async () => {
    const path = join(folder, 'c.safetensors');
    const tensors = ['x', 'y'].map((name) => ({ name, dtype: 'F32', shape: [2, 3], read: () => values }));
    const read = async () => {
      const file = await openSafetensors(path);
      try {
        await file.read('x');
        return { metadata: [...file.metadata], verified: file.verified, y: (await file.read('y')).data };
      } finally {
        await file.close();
      }
    };
    await writeSafetensors(path, { tensors, metadata: { format: 'pt' }, checksums: true });
    expect(await read()).toEqual({ metadata: [['format', 'pt']], verified: true, y: values });
    const whole = await readFile(path);
    // CRC-32 finds every single flipped bit. In the name of the entry, one makes it another's metadata.
    const name = whole.indexOf('inception.crc32');
    for (let index = 0; index < whole.length; index += 3) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(index) ^ 4, index);
      await writeFile(path, bytes);
      if (index >= name && index < name + 15) expect(await read()).toMatchObject({ verified: false });
      else await expect(read(), `byte ${index}`).rejects.toThrow(SafetensorsError);
    }
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(whole.length - 1) ^ 1, whole.length - 1);
    await writeFile(path, flipped);
    await expect(read()).rejects.toThrow(
      /c\.safetensors: tensor 'y' does not match its checksum: expected [0-9a-f]{8}, received [0-9a-f]{8}; the file is damaged$/,
    );
    await writeFile(path, Buffer.from(whole.toString('latin1').replace('"pt"', '"tp"'), 'latin1'));
    await expect(read()).rejects.toThrow(
      "c.safetensors: its header does not match its checksum: the file is damaged, or was rewritten by a program that should have left out 'inception.crc32' of its metadata",
    );
  });

  it('hold CRC-32 as zip and gzip do', async () => {
    const path = join(folder, 'd.safetensors');
    const tensors = [
      { name: 'x', dtype: 'U8', shape: [9], read: () => new TextEncoder().encode('123456789') },
    ];
    await writeSafetensors(path, { tensors, checksums: true });
    // The check value that the catalogue of CRCs gives for CRC-32/ISO-HDLC.
    expect(await readFile(path, 'utf8')).toMatch(/"inception\.crc32":"[0-9a-f]{8}cbf43926"/);
  });

  it('are unchanged if writing fails', async () => {
    const path = join(folder, 'b.safetensors');
    await writeFile(path, 'before');
    const tensors = [{ name: 'x', dtype: 'F32', shape: [7], read: () => values }];
    await expect(writeSafetensors(path, { tensors })).rejects.toThrow(
      "tensor 'x': F32 [7] needs 28 bytes, received 24",
    );
    expect(await readFile(path, 'utf8')).toBe('before');
    expect((await readdir(folder)).filter((name) => name.includes('incomplete'))).toEqual([]);
  });

  it('are named when they cannot be read', async () => {
    await expect(openSafetensors(join(folder, 'none'))).rejects.toThrow(/none: no such file$/);
    const path = join(folder, 'short.safetensors');
    await writeFile(path, 'short');
    await expect(openSafetensors(path)).rejects.toThrow(
      'short.safetensors: expected at least 8 bytes, the file has 5',
    );
  });
});
