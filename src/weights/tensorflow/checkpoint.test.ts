/**
 * The files of test/fixtures/tf-checkpoint are TensorFlow's own. It writes no compressed blocks, so the compressed files here
 * are made from them by test/table-writer.ts, with snappyjs.
 */
import { appendFile, copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BlockRange,
  blockRanges,
  type KeyAndValue,
  memorySource,
  repairChecksums,
  writeTable,
} from '../../../test/table-writer.ts';
import {
  bundle,
  expected,
  fixture,
  hex,
  readCheckpoint,
  shard,
  singleFile,
} from '../../../test/tf-checkpoint-fixtures.ts';
import { WeightsError } from '../tensor-file.ts';
import { openTensorFlowCheckpoint } from './checkpoint.ts';
import { isTable, openTable } from './leveldb-table.ts';
import { sliceKey } from './ordered-code.ts';

const text = (value: string) => new TextEncoder().encode(value);

let folder: string;
let files: Record<'index' | 'data' | 'single' | 'compressed', Uint8Array>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tf-checkpoint-'));
  const single = await readFile(fixture(singleFile));
  files = {
    index: await readFile(fixture(`${bundle}.index`)),
    data: await readFile(fixture(`${bundle}${shard}`)),
    single,
    compressed: writeTable(await entriesOf(single), { blockBytes: 512, snappy: true }),
  };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function entriesOf(table: Uint8Array): Promise<KeyAndValue[]> {
  const entries: KeyAndValue[] = [];
  for await (const { key, value } of (await openTable(memorySource(table))).entries()) {
    entries.push([Uint8Array.from(key), Uint8Array.from(value)]);
  }
  return entries;
}

/** A file of saved slices of which all but the values of one tensor is right. */
async function writeSlices(
  name: string,
  {
    type,
    shape,
    tensor,
    extent = [],
  }: { type: number; shape: number[]; tensor: Uint8Array; extent?: number[] },
): Promise<string> {
  const { Writer } = protobuf;
  const path = join(folder, name);
  const sizes = Writer.create();
  const slice = Writer.create();
  for (const size of shape) {
    sizes.uint32(0x12).fork().uint32(8).int64(size).ldelim();
    slice.uint32(0x0a).fork();
    extent.forEach((value, index) => {
      slice.uint32(8 * (index + 1)).int64(value);
    });
    slice.ldelim();
  }
  const saved = Writer.create().uint32(0x0a).string('t').uint32(0x12).bytes(sizes.finish());
  const meta = saved.uint32(0x18).int32(type).uint32(0x22).bytes(slice.finish()).finish();
  const data = Writer.create().uint32(0x0a).string('t').uint32(0x1a).bytes(tensor).finish();
  const extents = shape.map(() => ({ start: extent[0] ?? 0, length: extent[1] }));
  await writeFile(
    path,
    writeTable([
      [new Uint8Array(), Writer.create().uint32(0x0a).fork().uint32(0x0a).bytes(meta).ldelim().finish()],
      [sliceKey({ name: 't', extents }), Writer.create().uint32(0x12).bytes(data).finish()],
    ]),
  );
  return path;
}

/** An index with these entries after the header, beside the fixture's data. */
async function writeBundle(name: string, entries: readonly KeyAndValue[], header = [8, 1]): Promise<string> {
  const prefix = join(folder, name);
  await writeFile(`${prefix}.index`, writeTable([[new Uint8Array(), Uint8Array.from(header)], ...entries]));
  await writeFile(`${prefix}${shard}`, files.data);
  return prefix;
}

describe('TensorFlow checkpoints', () => {
  it.each([bundle, singleFile, 'objects'])(
    'gives the tensors of %s as TensorFlow wrote them',
    async (name) => {
      expect(await readCheckpoint(fixture(name))).toEqual(expected[name]);
    },
  );

  it('ignores tensors that are not numbers of a known type', async () => {
    const names = Object.keys(await readCheckpoint(fixture('objects')));
    expect(names).toEqual(['model/layer/kernel/.ATTRIBUTES/VARIABLE_VALUE']);
    expect(await readCheckpoint(fixture(bundle))).not.toHaveProperty('types/string');
  });

  it.each([1, 512, 100_000])('reads compressed blocks of %d bytes', async (blockBytes) => {
    const path = join(folder, `compressed-${blockBytes}`);
    await writeFile(path, writeTable(await entriesOf(files.single), { blockBytes, snappy: true }));
    expect(await readCheckpoint(path)).toEqual(expected[singleFile]);
  });

  it('reads values from every field of a TensorProto', async () => {
    const { Writer } = protobuf;
    const floats = Float32Array.of(1.5, -2, 0.25);
    const bytes = hex(floats);
    const asBytes = new Uint8Array(floats.buffer);
    const ways = {
      content: Writer.create().uint32(0x22).bytes(asBytes).finish(),
      packed: Writer.create().uint32(0x2a).bytes(asBytes).finish(),
      single: floats.reduce((writer, value) => writer.uint32(0x2d).float(value), Writer.create()).finish(),
      both: Writer.create().uint32(0x2d).float(1.5).uint32(0x2a).bytes(asBytes.subarray(4)).finish(),
    };
    for (const [way, tensor] of Object.entries(ways)) {
      const path = await writeSlices(`floats-${way}`, { type: 1, shape: [3], tensor });
      expect(await readCheckpoint(path)).toEqual({ t: { dtype: 'F32', shape: [3], bytes } });
    }
    const whole = await writeSlices('whole', { type: 1, shape: [3], tensor: ways.packed, extent: [0, 3] });
    expect((await readCheckpoint(whole)).t?.bytes).toBe(bytes);
    const integers = Writer.create().uint32(0x50).int64(-1).uint32(0x52).fork().int64(7).ldelim().finish();
    const path = await writeSlices('integers', { type: 9, shape: [2], tensor: integers });
    expect((await readCheckpoint(path)).t?.bytes).toBe(hex(BigInt64Array.of(-1n, 7n)));
  });

  it('is recognised by its end', () => {
    expect(isTable(files.index.subarray(-48))).toBe(true);
    expect(isTable(files.single.subarray(-48))).toBe(true);
    expect(isTable(files.data.subarray(-48))).toBe(false);
  });
});

describe('a checkpoint that is refused', () => {
  it.each(['partitioned-bundle', 'partitioned-single-file'])('%s', async (name) => {
    await expect(openTensorFlowCheckpoint(fixture(name))).rejects.toThrow(
      /^.*: variable 'split\/weights' is partitioned.* 2 slices, which .* not supported; save it unpartitioned$/,
    );
  });

  const beyond = [255, 255, 255, 255, 255, 255, 255, 255, 127];
  const scalar = [8, 1, 0x12, 0];
  it.each<[string, number[], number[] | undefined, string]>([
    ['big-endian numbers', [8, 1, 16, 1], undefined, 'its numbers are big-endian'],
    [
      'a newer version',
      [8, 1, 0x1a, 2, 16, 2],
      undefined,
      'it needs a reader of version 2, this one supports 1',
    ],
    [
      'a header of other types',
      [0x10 | 5, 0, 0, 0, 0],
      undefined,
      'field 2 of a BundleHeaderProto has the wire type 5',
    ],
    ['a header that ends early', [8], undefined, 'a BundleHeaderProto cannot be read'],
    ['a wrong size', [8, 1], [...scalar, 40, 5], "tensor 'a': F32 [] needs 4 bytes, the index says 5"],
    [
      'an offset beyond the file',
      [8, 1],
      [...scalar, 32, 255, 127, 40, 4],
      "tensor 'a' has 4 bytes at byte 16383",
    ],
    [
      'an offset beyond 2^53',
      [8, 1],
      [...scalar, 32, ...beyond, 40, 4],
      "tensor 'a' has 4 bytes at byte 9223372036854",
    ],
    ['a negative offset', [8, 1], [...scalar, 32, 255, ...beyond.with(8, 255), 1, 40, 4], 'cannot be read'],
    [
      'a shard that there is not',
      [8, 1],
      [...scalar, 24, 1, 40, 4],
      "tensor 'a' is in shard 1, expected 0 to 0",
    ],
    [
      'a size beyond 2^53',
      [8, 1],
      [8, 1, 0x12, 12, 0x12, 10, 8, ...beyond],
      'expected a size from 0 to below 2^53',
    ],
    ['a shape of unknown rank', [8, 1], [8, 1, 0x12, 2, 0x18, 1], 'received one of unknown rank'],
    ['wrong values', [8, 1], [...scalar, 40, 4], "tensor 'a' should have checksum 0, its 4 bytes give"],
  ])('has %s', async (name, header, entry, message) => {
    const entries: KeyAndValue[] = entry ? [[text('a'), Uint8Array.from(entry)]] : [];
    const path = await writeBundle(`refused ${name}`, entries, header);
    await expect(readCheckpoint(path)).rejects.toThrow(message);
    await expect(readCheckpoint(path)).rejects.toThrow(`${path}: `);
    await expect(readCheckpoint(path)).rejects.toThrow(WeightsError);
  });

  it.each<[string, Omit<Parameters<typeof writeSlices>[1], 'tensor'>, number[], string]>([
    [
      'too few values',
      { type: 1, shape: [2] },
      [0x2a, 4, 0, 0, 0, 0],
      "tensor 't': F32 [2] needs 2 values, the file has 1",
    ],
    ['half a value', { type: 1, shape: [] }, [0x2a, 3, 0, 0, 0], 'F32 [] needs 1 values, the file has 0.75'],
    [
      'values of another type',
      { type: 1, shape: [] },
      [0x28, 1],
      'field 5 of a TensorProto has the wire type 0',
    ],
    [
      'too much content',
      { type: 19, shape: [] },
      [0x22, 4, 0, 0, 0, 0],
      'F16 [] needs 1 values, the file has 2',
    ],
    [
      'a part of a tensor',
      { type: 1, shape: [4], extent: [1, 2] },
      [],
      "variable 't' is partitioned: the file contains a part",
    ],
    ['a part from the beginning', { type: 1, shape: [4], extent: [0, 2] }, [], "variable 't' is partitioned"],
    [
      'a tensor larger than files',
      { type: 1, shape: [2 ** 40, 2 ** 40] },
      [],
      'bytes, the limit for a file of this size is',
    ],
  ])('has %s', async (name, tensor, values, message) => {
    const path = await writeSlices(`slices with ${name}`, { ...tensor, tensor: Uint8Array.from(values) });
    await expect(readCheckpoint(path)).rejects.toThrow(message);
    await expect(readCheckpoint(path)).rejects.toThrow(WeightsError);
  });

  it('is closed, or lacks the tensor', async () => {
    for (const name of [bundle, singleFile]) {
      const file = await openTensorFlowCheckpoint(fixture(name));
      await expect(file.read('nothing')).rejects.toThrow(`${fixture(name)}: there is no tensor 'nothing'`);
      await file.close();
      await expect(file.read('scalar')).rejects.toThrow(WeightsError);
    }
  });
});

describe('corrupt checkpoints', () => {
  const runs = { numRuns: 100 };
  const damages = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  type Part = keyof typeof files;
  const parts: Part[] = ['index', 'data', 'single', 'compressed'];

  /** Opens and reads the checkpoint with this file in the place of its own. Says whether it was read. */
  async function meet(part: Part, bytes: Uint8Array): Promise<boolean> {
    const path = join(folder, 'damaged');
    const isBundle = part === 'index' || part === 'data';
    await writeFile(isBundle ? `${path}.index` : path, part === 'data' ? files.index : bytes);
    if (isBundle) await writeFile(`${path}${shard}`, part === 'data' ? bytes : files.data);
    try {
      await readCheckpoint(isBundle ? `${path}.index` : path);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
      expect((error as Error).message.startsWith(path)).toBe(true);
      return false;
    } finally {
      await rm(path, { force: true });
    }
  }

  it.each(parts)('with changed bytes in %s give a WeightsError', async (part) => {
    await fc.assert(
      fc.asyncProperty(damages, async (changes) => {
        const bytes = Uint8Array.from(files[part]);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        await meet(part, bytes);
      }),
      runs,
    );
  });

  it.each(parts)('with a truncated %s give a WeightsError', async (part) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (cut) => {
        const bytes = files[part];
        expect(await meet(part, bytes.subarray(0, cut % bytes.length))).toBe(false);
      }),
      runs,
    );
  });

  it.each<Part>(['index', 'single', 'compressed'])(
    'of which %s was changed where its checksums do not tell are met with an error of ours',
    async (part) => {
      const ranges: BlockRange[] = blockRanges(files[part]);
      let read = 0;
      await fc.assert(
        fc.asyncProperty(fc.nat(), damages, async (where, changes) => {
          const bytes = Uint8Array.from(files[part]);
          const { offset, size } = ranges[where % ranges.length] as BlockRange;
          for (const [at, value] of changes) bytes[offset + (at % (size + 1))] = value;
          repairChecksums(bytes, ranges);
          if (await meet(part, bytes)) read++;
        }),
        { numRuns: 400 },
      );
      // The changes came through to the values at least now and then.
      expect(read).toBeGreaterThan(0);
    },
  );

  it('that are longer or shorter than they should be are refused', async () => {
    const path = join(folder, 'longer');
    for (const end of ['.index', shard]) await copyFile(fixture(bundle + end), path + end);
    await appendFile(path + shard, 'x');
    expect(await readCheckpoint(path)).toEqual(expected[bundle]);
    await truncate(path + shard, files.data.length - 1);
    await expect(readCheckpoint(path)).rejects.toThrow('is the file complete?');
  });
});
