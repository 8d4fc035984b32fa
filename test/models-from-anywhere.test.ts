/** Models of other ecosystems through the built command, from a local hub to the error of an ensemble. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../src/data/decode.ts';
import { openData } from '../src/data/open-data.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { standardPreprocessing } from '../src/images/preprocess.ts';
import { graphOf, type ModelDescription } from '../src/model/description.ts';
import { initialValues } from '../src/model/initialise.ts';
import { writeModel } from '../src/model/write-model.ts';
import { openSafetensors, writeSafetensors } from '../src/weights/safetensors/safetensors.ts';
import { readParams } from './golden/fixture.ts';
import { goldenTensor } from './golden/prng.ts';
import { type HubServer, startHub } from './hub-server.ts';

const bin = new URL('../bin/inception', import.meta.url).pathname;
const commit = '0123456789abcdef0123456789abcdef01234567';
const repository = 'timm/inception_v3.tf_in1k';

let root: string;
let hub: HubServer;
let image: string;

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Asynchronous because the hub runs in this process. */
function inception(
  args: readonly string[],
  { env = {}, until }: { env?: NodeJS.ProcessEnv; until?: RegExp } = {},
): Promise<Result> {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HF_HOME: join(root, 'hf'), HF_ENDPOINT: hub.endpoint, NO_COLOR: '1', ...env },
  });
  let [stdout, stderr, stopped] = ['', '', false];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    if (!stopped && until?.test(stderr)) stopped = child.kill('SIGTERM');
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** For comparisons: `toEqual` takes minutes for a hundred megabytes. */
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-anywhere-'));
  const weights = join(root, 'timm.safetensors');
  await writeSafetensors(weights, {
    metadata: { format: 'pt' },
    tensors: readParams('timm_inception_v3').params.map((tensor) => ({
      name: tensor.name,
      dtype: 'F32',
      shape: tensor.shape,
      read: () => goldenTensor(tensor),
    })),
  });
  // As timm writes it: label_names are synsets, label_descriptions their meanings.
  const synsets = Array.from({ length: 1000 }, (_, index) => `n${String(index).padStart(8, '0')}`);
  const config = {
    architecture: 'inception_v3',
    num_classes: 1000,
    num_features: 2048,
    pretrained_cfg: {
      tag: 'tf_in1k',
      input_size: [3, 299, 299],
      fixed_input_size: false,
      interpolation: 'bicubic',
      crop_pct: 0.875,
      crop_mode: 'center',
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      num_classes: 1000,
      label_offset: 1,
      pool_size: [8, 8],
      first_conv: 'Conv2d_1a_3x3.conv',
      classifier: 'fc',
    },
    label_names: synsets,
    label_descriptions: Object.fromEntries(synsets.map((id, index) => [id, `label ${index}`])),
  };
  hub = await startHub({
    repositories: {
      [repository]: {
        commit,
        files: {
          'config.json': { body: Buffer.from(JSON.stringify(config)) },
          'model.safetensors': { body: await readFile(weights), large: true },
        },
      },
    },
  });
  image = join(root, 'image.png');
  const test = await openData('fashion-mnist', 'test');
  await writeFile(image, await encodePng(await test.image(0)));
});
afterAll(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});

describe('a model of the hub', () => {
  const model = `hub:${repository}`;
  const precision = ['--precision', 'float32'];

  it('is downloaded once, and then works offline', async () => {
    const first = await inception(['classify', image, '--model', model, '--json', ...precision]);
    expect(first.code, first.stderr).toBe(0);
    const [{ labels }] = JSON.parse(first.stdout);
    expect(labels).toHaveLength(5);
    expect(labels[0].label).toMatch(/^label \d+$/);
    expect(first.stderr).toContain('downloading model.safetensors');

    const offline = { HF_HUB_OFFLINE: '1', HF_ENDPOINT: 'http://127.0.0.1:9' };
    const second = await inception(['classify', image, '--model', model, '--json', ...precision], {
      env: offline,
    });
    expect([second.code, second.stdout, second.stderr]).toEqual([0, first.stdout, '']);

    const pulled = await inception(['pull', model, '--json'], { env: offline });
    const { config, weights } = JSON.parse(pulled.stdout);
    expect(hash(await readFile(weights))).toBe(hash(await readFile(join(root, 'timm.safetensors'))));
    expect(config).toBe(
      join(root, 'hf/hub/models--timm--inception_v3.tf_in1k/snapshots', commit, 'config.json'),
    );
  });

  it('is imported with labels and preprocessing, and exported to identical weights', async () => {
    const imported = await inception(['import', model, '-o', 'v3.safetensors', '--json']);
    expect(imported.code, imported.stderr).toBe(0);
    const { dialect, description } = JSON.parse(imported.stdout);
    expect(dialect).toBe('timm');
    expect(description).toMatchObject({
      network: 'inception-v3',
      options: { classes: 1000, countPadding: true },
      preprocessing: { protocol: 'timm', kernel: 'pillow-bicubic', crop: 0.875 },
    });
    expect([description.classes[7], description.classIds[7]]).toEqual(['label 7', 'n00000007']);

    const exported = await inception(['export', 'v3.safetensors', '--to', 'timm', '-o', 'back/', '--report']);
    expect(exported.code, exported.stderr).toBe(0);
    expect(exported.stdout).toContain('Conv2d_1a_3x3.conv.weight');
    const [before, after] = await Promise.all(
      ['timm', 'back/model'].map((name) => openSafetensors(join(root, `${name}.safetensors`))),
    );
    for (const name of before?.tensors.keys() ?? []) {
      const [source, copy] = await Promise.all([before?.read(name), after?.read(name)]);
      expect(copy && hash(bytesOf(copy.data)), name).toBe(source && hash(bytesOf(source.data)));
    }
    expect(JSON.parse(await readFile(join(root, 'back/config.json'), 'utf8'))).toMatchObject({
      architecture: 'inception_v3',
      pretrained_cfg: { interpolation: 'bicubic', crop_pct: 0.875, classifier: 'fc' },
    });
    await Promise.all([before?.close(), after?.close()]);
  });

  it('is refused in one line if it does not exist, and nothing is written', async () => {
    const { code, stdout, stderr } = await inception([
      'import',
      'hub:timm/inception_v9',
      '-o',
      'v9.safetensors',
    ]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^inception: hub:timm\/inception_v9.*\n$/);
    expect(await readdir(root)).not.toContain('v9.safetensors');
  });

  it('is refused with every mismatch if it is broken, and nothing is written', async () => {
    const contents = {
      tensors: [
        ['Conv2d_1a_3x3.conv.weight', [32, 3, 3, 3]],
        ['fc.weight', [10, 7]],
        ['Mixed_7c.branch_pool.conv.weight', [192, 2048, 1, 1]],
      ].map(([name, shape]) => ({
        name: name as string,
        dtype: 'F32',
        shape: shape as number[],
        read: () => new Float32Array((shape as number[]).reduce((product, size) => product * size, 1)),
      })),
    };
    await writeSafetensors(join(root, 'broken.safetensors'), contents);
    const args = ['import', 'broken.safetensors', '--from', 'timm', '--network', 'inception-v3'];
    const { code, stdout, stderr } = await inception([...args, '-o', 'never.safetensors']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^inception: broken\.safetensors: the tensors do not match timm's inception-v3/);
    expect(stderr).toMatch(/\d{3} missing:\n/);
    expect(stderr).toContain('fc.weight: expected [');
    expect(await readdir(root)).not.toContain('never.safetensors');
  });
});

describe('inception evaluate', () => {
  const members = ['one.safetensors', 'two.safetensors'];
  const fast = ['--limit', '40', '--precision', 'float32', '--batch', '16'];

  beforeAll(async () => {
    const { classes } = await openData('fashion-mnist', 'test');
    for (const [seed, name] of members.entries()) {
      const description: ModelDescription = {
        network: seed === 0 ? 'inception-v4' : 'inception-resnet-v2',
        options: { classes: 10, width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 },
        // The order of labels may differ between members.
        classes: seed === 0 ? classes : [...classes].reverse(),
        preprocessing: standardPreprocessing([75, 75]),
        data: 'fashion-mnist',
      };
      const parameters = parametersOf(graphOf(description));
      const read = async (parameter: (typeof parameters)[number]) => initialValues(parameter, seed);
      await writeModel(join(root, name), { description, parameters, read });
    }
  });

  it('measures an ensemble on many crops, with protocol and speed', async () => {
    const { code, stdout, stderr } = await inception([
      'evaluate',
      ...members,
      '--crops',
      '144',
      ...fast,
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.protocol).toMatch(/^144 crops/);
    // On a square image the three squares coincide, and are computed once.
    expect(result).toMatchObject({
      count: 40,
      images: 40,
      networks: ['inception-v4', 'inception-resnet-v2'],
    });
    expect(result.crops).toBe(2 * 40 * 48);
    expect(result.cropsPerSecond).toBeCloseTo(result.crops / result.seconds, 6);
    const [first] = await Promise.all([inception(['evaluate', ...members, '--crops', '12', ...fast])]);
    expect(first.stdout).toMatch(/\nprotocol {2}12 crops/);
    expect(first.stdout).toMatch(/\ntop-1 error \d+\.\d\d%, top-5 error \d+\.\d\d%\n$/);
  });

  it('excludes images, appends a row with timm’s columns, and resumes', async () => {
    await writeFile(join(root, 'exclude.txt'), '3\n5\n');
    const plain = ['evaluate', 'one.safetensors', ...fast];
    const whole = await inception([...plain, '--predictions', 'whole.csv', '--csv', 'results.csv', '--json']);
    expect(whole.code, whole.stderr).toBe(0);
    const [header, row] = (await readFile(join(root, 'results.csv'), 'utf8')).split('\n');
    expect(header).toBe('model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation');
    expect(row).toMatch(/^one\.safetensors,[\d.]+,[\d.]+,[\d.]+,[\d.]+,[\d.]+,75,0\.875,bilinear$/);

    const rows = (await readFile(join(root, 'whole.csv'), 'utf8')).trimEnd().split('\n');
    expect(rows).toHaveLength(41);
    await writeFile(join(root, 'part.csv'), `${rows.slice(0, 20).join('\n')}\n`);
    await writeFile(join(root, 'part.csv.json'), await readFile(join(root, 'whole.csv.json'), 'utf8'));
    const resumed = await inception([...plain, '--predictions', 'part.csv', '--resume', '--json']);
    expect(resumed.stderr).toContain('19 images are already predicted');
    // Different batches sum in a different order: probabilities may differ in the last digits.
    const rowsOf = async (name: string) =>
      (await readFile(join(root, name), 'utf8'))
        .split('\n')
        .map((line) => line.replace(/,[\d.]+,[\d.]+,/, ','));
    expect(await rowsOf('part.csv')).toEqual(await rowsOf('whole.csv'));
    const [complete, continued] = [JSON.parse(whole.stdout), JSON.parse(resumed.stdout)];
    expect([continued.top1Error, continued.top5Error, continued.confusion]).toEqual([
      complete.top1Error,
      complete.top5Error,
      complete.confusion,
    ]);
    expect(continued.loss).toBeCloseTo(complete.loss, 5);
  });

  it('keeps its predictions when stopped by a signal, and exits with 143', async () => {
    const path = join(root, 'stopped.csv');
    const long = ['evaluate', ...members, '--crops', '144', '--batch', '16', '--predictions', path];
    const stopped = await inception(long, { until: /\d+\/10000 images/ });
    expect([stopped.code, stopped.stdout]).toEqual([143, '']);
    expect(stopped.stderr).toMatch(/inception: interrupted after \d+ of 10000 images; --resume continues /);
    expect((await stat(path)).size).toBeGreaterThan(100);
  });
});

describe('inception compare', () => {
  it('compares Inception-ResNet-v2 as drawn and as released, block by block', async () => {
    const { code, stdout } = await inception([
      'compare',
      'inception-resnet-v2',
      'inception-resnet-v2-released',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^− inception-resnet-v2: 3[\d,]+ parameters.*\n\+ inception-resnet-v2-released: 55,8/,
    );
    expect(stdout).toContain('mixed5b');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(140);
  });
});
