/** The files of test/fixtures/torch are PyTorch's own; expected.json has the values that it saved. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { WeightsError } from '../tensor-file.ts';
import { openTorchFile } from './file.ts';

type Tensors = Record<string, { dtype: string; shape: number[]; bytes: string }>;

const fixture = (name: string) => new URL(`../../../test/fixtures/torch/${name}`, import.meta.url).pathname;
const expected = readFixture<Record<string, { tensors: Tensors }>>('torch/expected.json');

async function readAll(path: string): Promise<Map<string, Tensors[string]>> {
  const file = await openTorchFile(path);
  try {
    expect(file.format).toBe('torch');
    const all = new Map<string, Tensors[string]>();
    for (const [name, { dtype, shape }] of file.tensors) {
      const tensor = await file.read(name);
      expect([tensor.name, tensor.dtype, tensor.shape]).toEqual([name, dtype, shape]);
      const { buffer, byteOffset, byteLength } = tensor.data;
      // All that is allocated for a tensor are its values.
      expect(buffer.byteLength).toBe(byteLength);
      const bytes = Buffer.from(buffer, byteOffset, byteLength).toString('hex');
      // PyTorch's own names are recorded without the wrapper's prefix.
      all.set(name.replace(/^module\./, ''), { dtype, shape: [...shape], bytes });
    }
    return all;
  } finally {
    await file.close();
  }
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-torch-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('openTorchFile', () => {
  it.each(Object.keys(expected))('reads the tensors of %s as PyTorch had them', async (name) => {
    const tensors = Object.entries(expected[name]?.tensors ?? {});
    expect([...(await readAll(fixture(name)))]).toEqual(tensors);
  });

  it.each([
    [
      'an OrderedDict of Python 2',
      { pickled: (item: string) => `ccollections\nOrderedDict\n](${item}la\x85R.` },
    ],
    ['a dict of a view of a storage', { view: '(U\x01vK\x02K\x04t' }],
    ['a shape that is a torch.Size', { size: (tuple: string) => `ctorch\nSize\n${tuple}\x85R` }],
    ['a storage on a graphics card of old', { storage: 'ctorch.cuda\nFloatStorage\n' }],
  ])('reads %s', async (name, style) => {
    const path = join(folder, `${name}.pth`);
    await writeTensor(path, { shape: [2, 2], stride: [2, 1], ...style });
    const begin = 'view' in style ? 2 : 0;
    const values = Float32Array.of(begin, begin + 1, begin + 2, begin + 3);
    const bytes = Buffer.from(values.buffer).toString('hex');
    expect([...(await readAll(path))]).toEqual([['t', { dtype: 'F32', shape: [2, 2], bytes }]]);
  });

  it('finds the state_dict in a training checkpoint, and says so', async () => {
    const file = await openTorchFile(fixture('training.pth'));
    expect([...file.tensors.keys()].slice(0, 2)).toEqual(['module.0.weight', 'module.1.weight']);
    expect([...file.metadata]).toEqual([['arch', 'small']]);
    expect(file.decisions).toEqual([
      "weights under the key 'state_dict'",
      'skipped unread, nothing of it was run: argparse.Namespace, __builtin__.set',
    ]);
    await file.close();
  });

  it('reads nothing of the objects beside the weights, and runs nothing', async () => {
    const file = await openTorchFile(fixture('harmful.pth'));
    expect([...file.tensors.keys()]).toEqual(['weight']);
    expect(file.decisions?.at(-1)).toMatch(/^skipped unread, nothing of it was run: (posix|os)\.system$/);
    await file.close();
  });

  it.each(['model-2.pth', 'model-1.13.pth'])('reads the tensors of the whole module in %s', async (name) => {
    const names = Object.keys(expected['protocol4.pth']?.tensors ?? {});
    const all = await readAll(fixture(name));
    expect([...all.keys()].sort()).toEqual(names.sort());
  });

  it('prefers averaged weights', async () => {
    const [last, averaged] = await Promise.all(
      ['training.pth', 'averaged.pth'].map((n) => readAll(fixture(n))),
    );
    expect([...(averaged as Map<string, unknown>).keys()]).toEqual([
      ...(last as Map<string, unknown>).keys(),
    ]);
    expect(averaged).not.toEqual(last);
  });

  it('uses the array type of each dtype', async () => {
    const file = await openTorchFile(fixture('zip-1.13.pth'));
    const array = async (type: string) => (await file.read(`types.${type}`)).data.constructor;
    expect(await array('float32')).toBe(Float32Array);
    expect(await array('float64')).toBe(Float64Array);
    expect(await array('bfloat16')).toBe(Uint16Array);
    expect(await array('int64')).toBe(BigInt64Array);
    expect(await array('int32')).toBe(Int32Array);
    expect(await array('bool')).toBe(Uint8Array);
    await expect(file.read('nothing')).rejects.toThrow("zip-1.13.pth: there is no tensor 'nothing'");
    await file.close();
    await expect(file.read('count')).rejects.toThrow(WeightsError);
  });
});

describe('a PyTorch file that is refused', () => {
  it.each([
    ['harmful-legacy.pth', 'it contains no tensors; its keys are "x"'],
    ['script.pt', 'it is a TorchScript program, not a weights file; load it with torch.jit.load and save'],
    ['newer.pth', "tensor 'weight' is of float8_e5m2, expected one of float32,"],
    ['other-2.pth', "tensor 'weight' is of complex64, expected one of float32,"],
    ['other-1.13.pth', "tensor 'weight' is of complex64, expected one of float32,"],
    ['sparse.pth', "tensor 'weight' is sparse; convert it to a plain dense tensor"],
    ['quantised.pth', "tensor 'weight' is quantised; convert it to a plain dense tensor first"],
    [
      'list.pth',
      'expected a state_dict, the file contains no dict; save it with torch.save(model.state_dict(), path)',
    ],
    ['nothing.pth', 'it contains no tensors; its keys are '],
    ['make.py', 'byte 0 of a pickle is 0x22, an unsupported instruction'],
  ])('%s', async (name, message) => {
    await expect(openTorchFile(fixture(name))).rejects.toThrow(message);
    await expect(openTorchFile(fixture(name))).rejects.toThrow(`${fixture(name)}: `);
    await expect(openTorchFile(fixture(name))).rejects.toThrow(WeightsError);
  });

  /** A file of which the first `from` after `after` is another text. */
  async function changed(
    name: string,
    { after, from, to }: { after: string; from: string; to: string },
  ): Promise<string> {
    const bytes = await readFile(fixture(name));
    const text = bytes.toString('latin1');
    const at = text.indexOf(from, text.indexOf(after));
    expect(text).toContain(after);
    expect(at).toBeGreaterThan(0);
    bytes.write(to, at, 'latin1');
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  }

  it('has compressed or duplicate members', async () => {
    // The method of the first entry of the ZIP directory, which is the pickle's.
    const entry = 'PK\x01\x02\0\0\0\0\x08\x08\0\0';
    const compressed = await changed('zip-1.13.pth', {
      after: entry,
      from: entry,
      to: entry.replace(/..$/s, '\x08\0'),
    });
    await expect(openTorchFile(compressed)).rejects.toThrow(
      "its member 'zip-1.13/data.pkl' is compressed or encrypted, which torch.save never does; extract",
    );
    const twice = await changed('zip-1.13.pth', { after: entry, from: '/data/1', to: '/data/0' });
    await expect(openTorchFile(twice)).rejects.toThrow("it has two members 'zip-1.13/data/0'");
    const missing = await changed('zip-1.13.pth', { after: entry, from: '/data/1', to: '/data/x' });
    await expect(openTorchFile(missing)).rejects.toThrow(
      "tensor 'types.float64' refers to storage '1', which does not exist",
    );
    const lost = await changed('zip-1.13.pth', { after: entry, from: '/data.pkl', to: '/data.txt' });
    await expect(openTorchFile(lost)).rejects.toThrow(
      'expected one member named data.pkl, the ZIP archive has 0; it was not written by torch.save',
    );
  });

  it('is another archive', async () => {
    const entry = 'PK\x01\x02';
    const arrays = await changed('zip-1.13.pth', {
      after: entry,
      from: 'zip-1.13/data.pkl',
      to: 'zip-1.13_data.npy',
    });
    await expect(openTorchFile(arrays)).rejects.toThrow('it is an archive of NumPy arrays (.npz)');
    const program = await changed('zip-2.pth', {
      after: entry,
      from: 'zip-2/byteorder',
      to: 'models/abc.json',
    });
    await expect(openTorchFile(program)).rejects.toThrow('it is a program of torch.export (.pt2)');
  });

  it('has big-endian numbers', async () => {
    const zip = await changed('zip-2.pth', { after: 'byteorder', from: 'little', to: 'biiiig' });
    await expect(openTorchFile(zip)).rejects.toThrow('its numbers are "biiiig"-endian, only little-endian');
    const legacy = await changed('legacy-1.13.pth', { after: 'little_endian', from: '\x88', to: '\x89' });
    await expect(openTorchFile(legacy)).rejects.toThrow('its numbers are big-endian');
  });

  it.each<[string, TensorStyle, string]>([
    [
      'more bytes than the file',
      { shape: [2 ** 20, 4], stride: [0, 0] },
      'would have 16777216 bytes, the file has',
    ],
    ['a size beyond 2^53', { shape: [2 ** 30, 2 ** 30, 2 ** 30], stride: [0, 0, 0] }, 'bytes, the file has'],
    ['a negative size', { shape: [-1], stride: [1] }, 'has an invalid shape, strides or offset'],
    ['a negative stride', { shape: [2], stride: [-1] }, 'has an invalid shape, strides or offset'],
    ['a negative offset', { shape: [2], stride: [1], offset: -1 }, 'has an invalid shape, strides or offset'],
    ['strides of another rank', { shape: [2], stride: [1, 1] }, 'has an invalid shape, strides or offset'],
    [
      '65 dimensions',
      { shape: Array(65).fill(1), stride: Array(65).fill(1) },
      'has an invalid shape, strides',
    ],
    [
      'windows that overlap',
      { shape: [3, 3], stride: [1, 1] },
      'has overlapping windows; save it with .contiguous()',
    ],
    [
      'values beyond its storage',
      { shape: [3, 2], stride: [2, 1], offset: 1 },
      "needs 28 bytes of storage '0', which has 24; is the file complete?",
    ],
  ])('has a tensor of %s', async (name, tensor, message) => {
    const path = join(folder, `${name}.pth`);
    await writeTensor(path, tensor);
    await expect(openTorchFile(path)).rejects.toThrow(`${path}: tensor 't' `);
    await expect(openTorchFile(path)).rejects.toThrow(message);
  });

  it('has storages that do not match its tensors', async () => {
    const path = join(folder, 'storages.pth');
    await writeTensor(path, { shape: [1], stride: [1], keys: '](U\x010U\x010e' });
    await expect(openTorchFile(path)).rejects.toThrow(
      "its list of storages contains '0', which is unknown or a duplicate",
    );
    await writeTensor(path, { shape: [1], stride: [1], keys: ']' });
    await expect(openTorchFile(path)).rejects.toThrow("refers to storage '0', which does not exist");
    await writeTensor(path, { shape: [1], stride: [1], listed: 7 });
    await expect(openTorchFile(path)).rejects.toThrow("storage '0' has 7 elements at byte");
  });
});

interface TensorStyle {
  shape: number[];
  stride: number[];
  offset?: number;
  /** Of the storage. */
  count?: number;
  listed?: number;
  keys?: string;
  /** The pickle's object of an item, its key and its value. */
  pickled?: (item: string) => string;
  size?: (tuple: string) => string;
  storage?: string;
  view?: string;
}

/** A legacy file of one tensor, whose storage counts up. */
async function writeTensor(
  path: string,
  {
    shape,
    stride,
    offset = 0,
    count = 6,
    listed = count,
    keys = ']U\x010a',
    pickled = (item) => `}(${item}u.`,
    size = (tuple) => tuple,
    storage = 'ctorch\nFloatStorage\n',
    view = 'N',
  }: TensorStyle,
): Promise<void> {
  const integer = (value: number) => `J${Buffer.from(Int32Array.of(value).buffer).toString('latin1')}`;
  const tuple = (values: number[]) => `(${values.map(integer).join('')}t`;
  const magic = '\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.';
  const stored = `(U\x07storage${storage}U\x010U\x03cpu${integer(count)}${view}tQ`;
  const parameters = `(${stored}${integer(offset)}${size(tuple(shape))}${tuple(stride)}\x89Nt`;
  const object = pickled(`U\x01tctorch._utils\n_rebuild_tensor_v2\n${parameters}R`);
  const values = Float32Array.from({ length: count }, (_, index) => index);
  const text = Buffer.from(`${magic}M\xe9\x03.}.${object}${keys}.`, 'latin1');
  await writeFile(
    path,
    Buffer.concat([text, Buffer.from(BigInt64Array.of(BigInt(listed)).buffer), Buffer.from(values.buffer)]),
  );
}

describe('a tensor that is not in C order', () => {
  it.each([
    [3, 2],
    // More than what is read at once.
    [700_000, 3],
  ])('of %d×%d values is converted', async (columns, rows) => {
    const path = join(folder, 'transposed.pth');
    await writeTensor(path, { shape: [rows, columns], stride: [1, rows], count: rows * columns });
    const file = await openTorchFile(path);
    const { data } = await file.read('t');
    await file.close();
    const wrong = (data as Float32Array).findIndex(
      (value, at) => value !== (at % columns) * rows + Math.floor(at / columns),
    );
    expect(wrong).toBe(-1);
    expect(data.length).toBe(rows * columns);
  });

  it('may repeat and overlap values as long as the file is read forwards', async () => {
    const path = join(folder, 'repeated.pth');
    await writeTensor(path, { shape: [2, 3], stride: [0, 2] });
    const file = await openTorchFile(path);
    expect([...((await file.read('t')).data as Float32Array)]).toEqual([0, 2, 4, 0, 2, 4]);
    await file.close();
  });
});

describe('corrupt PyTorch files', () => {
  const originals = ['zip-2.pth', 'legacy-1.13.pth'];
  const place = fc.noBias(fc.nat(99_999)).map((value) => value / 100_000);
  const change = fc.tuple(place, fc.nat(255));

  async function largest(path: string): Promise<number> {
    const file = await openTorchFile(path);
    try {
      let most = 0;
      for (const name of file.tensors.keys())
        most = Math.max(most, (await file.read(name)).data.buffer.byteLength);
      return most;
    } finally {
      await file.close();
    }
  }

  async function meet(bytes: Uint8Array): Promise<boolean> {
    const path = join(folder, 'damaged.pth');
    await writeFile(path, bytes);
    try {
      const most = await largest(path);
      expect(most).toBeLessThanOrEqual(bytes.length + 2 ** 20);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
      expect((error as Error).message).toMatch(/damaged\.pth: /);
      return false;
    }
  }

  it.each(originals)('%s with changed bytes gives a WeightsError', async (name) => {
    const original = await readFile(fixture(name));
    let read = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 6 }),
        // The pickle stands at the begin: there most changes tell.
        fc.constantFrom(1, 3),
        async (changes, power) => {
          const bytes = Uint8Array.from(original);
          for (const [place, value] of changes) bytes[Math.floor(place ** power * bytes.length)] = value;
          if (await meet(bytes)) read++;
        },
      ),
      { numRuns: 300 },
    );
    expect(read).toBeGreaterThan(0);
  });

  it.each(originals)('%s truncated gives a WeightsError', async (name) => {
    const original = await readFile(fixture(name));
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), async (length) => {
        expect(await meet(original.subarray(0, length))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
