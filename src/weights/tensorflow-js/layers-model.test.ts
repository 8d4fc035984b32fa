/** Expected values are arithmetic in float64 rounded once, as TensorFlow.js's io_utils.ts does it. */
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWeights } from '../open-weights.ts';
import { WeightsError } from '../tensor-file.ts';
import { maxManifestBytes, parseManifest } from './manifest.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'layers-model-'));
});
afterAll(() => rm(root, { recursive: true }));

type Json = Readonly<Record<string, unknown>>;

let count = 0;
/** Writes a model in a folder of its own and returns the folder. */
async function write(
  model: Json | string,
  shards: Readonly<Record<string, ArrayLike<number>>> = {},
): Promise<string> {
  count++;
  const folder = join(root, String(count));
  await mkdir(join(folder, 'inner'), { recursive: true });
  await writeFile(join(folder, 'model.json'), typeof model === 'string' ? model : JSON.stringify(model));
  for (const [name, bytes] of Object.entries(shards))
    await writeFile(join(folder, name), Uint8Array.from(bytes));
  return folder;
}

const modelOf = (weights: readonly Json[], paths: readonly string[] = ['one.bin']): Json => ({
  format: 'layers-model',
  modelTopology: { keras_version: '2.2.4', model_config: { class_name: 'Model', config: { layers: [] } } },
  weightsManifest: [{ paths, weights }],
});
const quantised = (dtype: string, more: Json = {}): Json => ({
  name: 'a/kernel',
  shape: [2],
  dtype: 'float32',
  quantization: { dtype, ...more },
});
const float = { name: 'a', shape: [1], dtype: 'float32' };
const bytesOf = (values: Float32Array | Uint16Array): Uint8Array => new Uint8Array(values.buffer);

async function valuesIn(folder: string): Promise<Record<string, unknown>> {
  const file = await openWeights(folder);
  const entries = await Promise.all(
    [...file.tensors.keys()].map(async (name) => [name, await file.read(name)] as const),
  );
  await file.close();
  return Object.fromEntries(entries.map(([name, { data }]) => [name, data]));
}

/** The message of the refusal, without the folder. */
async function refusal(folder: Promise<string>): Promise<string> {
  const path = await folder;
  const error = await valuesIn(path).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(WeightsError);
  return (error as Error).message.replace(`${path}/model.json: `, '');
}

describe('a layers model of TensorFlow.js', () => {
  it('is opened by its folder or its file, and keeps the configuration as Keras writes it', async () => {
    const folder = await write(modelOf([float]), { 'one.bin': bytesOf(Float32Array.of(1.5)) });
    for (const path of [folder, join(folder, 'model.json')]) {
      const file = await openWeights(path);
      expect([file.format, [...file.tensors.values()]]).toEqual([
        'tfjs-layers',
        [expect.objectContaining({ name: 'a', dtype: 'F32', shape: [1] })],
      ]);
      expect(file.metadata.get('model_config')).toBe('{"class_name":"Model","config":{"layers":[]}}');
      expect(file.decisions).toEqual([]);
      await expect(file.read('b')).rejects.toThrow(`there is no tensor 'b'`);
      await file.close();
      await expect(file.read('a')).rejects.toThrow('the file has been closed');
    }
    // TensorFlow.js itself writes the configuration without Keras's envelope.
    const own = { ...modelOf([float]), modelTopology: { class_name: 'Sequential' } };
    const file = await openWeights(await write(own, { 'one.bin': [0, 0, 0, 0] }));
    expect(file.metadata.get('model_config')).toBe('{"class_name":"Sequential"}');
  });

  it('has values quantised to 8 or 16 bits, or float16, which is said', async () => {
    const [scale, min] = [0.022262044981414198, -1.4470329237919228];
    const eight = await write(modelOf([quantised('uint8', { scale, min })]), { 'one.bin': [0, 255] });
    expect(await valuesIn(eight)).toEqual({ 'a/kernel': Float32Array.of(min, 255 * scale + min) });
    const sixteen = await write(modelOf([quantised('uint16', { scale, min })]), {
      'one.bin': bytesOf(Uint16Array.of(1, 65535)),
    });
    expect(await valuesIn(sixteen)).toEqual({
      'a/kernel': Float32Array.of(scale + min, 65535 * scale + min),
    });
    const half = await write(modelOf([quantised('float16')]), {
      'one.bin': bytesOf(Uint16Array.of(0x3c00, 0)),
    });
    expect(await valuesIn(half)).toEqual({ 'a/kernel': Uint16Array.of(0x3c00, 0) });
    expect((await openWeights(half)).decisions).toEqual([
      '1 of its 1 tensors are quantised to float16, and read as float32',
    ]);
  });

  it('has tensors that begin in one shard and end in another, and groups of shards', async () => {
    const all = bytesOf(Float32Array.of(1, 2, 3, 4, 5));
    const weights = [
      { ...float, shape: [2] },
      { ...float, name: 'b', shape: [1, 2] },
    ];
    const [first] = modelOf(weights, ['x', 'inner/y', 'z']).weightsManifest as [Json];
    const model = {
      ...modelOf([]),
      weightsManifest: [first, { paths: ['last'], weights: [{ ...float, name: 'c' }] }],
    };
    const shards = {
      x: all.slice(0, 3),
      'inner/y': all.slice(3, 10),
      z: all.slice(10, 16),
      last: all.slice(16),
    };
    expect(await valuesIn(await write(model, shards))).toEqual({
      a: Float32Array.of(1, 2),
      b: Float32Array.of(3, 4),
      c: Float32Array.of(5),
    });
  });

  it.each<[what: string, model: Json | string, message: string]>([
    ['no JSON', '{"weightsManifest": [', 'it is not JSON ('],
    ['other JSON', '{"version": 1}', "it is JSON, but no TensorFlow.js model: expected 'modelTopology' and"],
    [
      'a graph model',
      { ...modelOf([]), format: 'graph-model' },
      'it is a graph model of TensorFlow.js, whose',
    ],
    [
      'a text tensor',
      modelOf([{ ...float, dtype: 'string' }]),
      "tensor 'a': values of type 'string' are not read",
    ],
    [
      'a quantised integer',
      modelOf([{ ...quantised('float16'), dtype: 'int32' }]),
      "tensor 'a/kernel': values of type 'int32', quantised, are",
    ],
    ['a scale that is missing', modelOf([quantised('uint8')]), 'weightsManifest.0.weights.0.quantization: '],
    ['a negative side', modelOf([{ ...float, shape: [-1] }]), 'weightsManifest.0.weights.0.shape.0: '],
    [
      'a product beyond 2^53',
      modelOf([{ ...float, shape: [1e9, 1e9] }]),
      "tensor 'a': its shape [1000000000, 1000000000] is too large",
    ],
    ['a name twice', modelOf([float, float]), "it lists 'a' twice"],
    ['a shard twice', modelOf([float], ['one.bin', 'one.bin']), "it names the shard 'one.bin' twice"],
    [
      'more bytes than there are',
      modelOf([{ ...float, shape: [1_000_000_000] }]),
      'its tensors need 4000000000 bytes, the 1 shards have 4; are all',
    ],
    ['fewer bytes', modelOf([]), 'its tensors need 0 bytes, the 1 shards have 4; are'],
    [
      'a shard that is missing',
      modelOf([float], ['two.bin']),
      "its shard 'two.bin' is missing; put it beside the file",
    ],
    ['a folder as a shard', modelOf([float], ['inner']), "its shard 'inner' is not a file"],
  ])('with %s is refused', async (_, model, message) => {
    expect((await refusal(write(model, { 'one.bin': [0, 0, 0, 0] }))).slice(0, message.length)).toBe(message);
  });

  it.each(['../one.bin', '/etc/hostname', 'inner/../../x', 'C:one', 'a\\b', '', './one.bin', 'http://x/y'])(
    'with the shard %j is refused before anything is opened',
    async (name) => {
      expect(await refusal(write(modelOf([float], [name])))).toContain(
        'is not a name inside the folder of the file',
      );
    },
  );

  it('does not follow a link out of its folder, but one inside', async () => {
    const outside = join(root, 'secret');
    await writeFile(outside, Uint8Array.of(0, 0, 128, 63));
    const folder = await write(modelOf([float]));
    await symlink(outside, join(folder, 'one.bin'));
    expect(await refusal(Promise.resolve(folder))).toBe(
      "its shard 'one.bin' is a link out of the folder; copy the file there",
    );
    const inside = await write(modelOf([float]), { 'two.bin': [0, 0, 128, 63] });
    await link(join(inside, 'two.bin'), join(inside, 'three.bin'));
    await symlink('three.bin', join(inside, 'one.bin'));
    expect(await valuesIn(inside)).toEqual({ a: Float32Array.of(1) });
  });

  it('is not read beyond a limit', async () => {
    const folder = await write('{');
    await truncate(join(folder, 'model.json'), maxManifestBytes + 1);
    expect(await refusal(Promise.resolve(folder))).toMatch(
      /^it has 4194305 bytes, the limit for a model.json is 4194304/,
    );
  });

  it('of any content is read or refused, and never anything else', async () => {
    const dtype = fc.constantFrom('float32', 'int32', 'bool', 'string', 'uint8', 'float16');
    const entry = fc.record(
      {
        name: fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('__proto__', 'a')),
        shape: fc.array(fc.oneof(fc.nat(3), fc.integer(), fc.double()), { maxLength: 3 }),
        dtype,
        quantization: fc.oneof(
          fc.constant(undefined),
          fc.record({ dtype, scale: fc.double(), min: fc.double() }),
          fc.anything(),
        ),
      },
      { requiredKeys: ['name', 'shape', 'dtype'] },
    );
    const group = fc.record({
      paths: fc.oneof(fc.constant(['one.bin']), fc.array(fc.string({ maxLength: 4 }), { maxLength: 2 })),
      weights: fc.array(entry, { maxLength: 3 }),
    });
    const model = fc.record({
      modelTopology: fc.jsonValue({ maxDepth: 3 }),
      weightsManifest: fc.oneof(
        fc.array(group, { minLength: 1, maxLength: 2 }),
        fc.jsonValue({ maxDepth: 3 }),
      ),
    });
    const folder = await write('');
    fc.assert(
      fc.property(model, (value) => {
        try {
          parseManifest(JSON.stringify(value));
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsError);
        }
      }),
      { numRuns: 100 },
    );
    await fc.assert(
      fc.asyncProperty(model, fc.uint8Array({ maxLength: 40 }), async (value, bytes) => {
        await writeFile(join(folder, 'model.json'), JSON.stringify(value));
        await writeFile(join(folder, 'one.bin'), bytes);
        await valuesIn(folder).catch((error: unknown) => expect(error).toBeInstanceOf(WeightsError));
      }),
      { numRuns: 8 },
    );
  });
});
