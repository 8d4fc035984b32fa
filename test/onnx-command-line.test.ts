/**
 * `export`, `classify` and `evaluate` with ONNX files; without libtorch, in a process of the built command that finds none. Over 400 lines:
 * all of it reads the files that are exported once at its beginning.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../src/data/decode.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { writeModel } from '../src/model/write-model.ts';
import { inception as run } from './command-in-process.ts';
import { sampleModel } from './sample-model.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inception-onnx-cli-'));
const model = join(folder, 'model.safetensors');
const onnx = join(folder, 'model.onnx');
const data = join(folder, 'images');

beforeAll(async () => {
  const labels = ['bright', 'dark'];
  const opened = sampleModel('inception-resnet-v2', { classes: 2 }, { classes: labels });
  await writeModel(model, { ...opened, parameters: parametersOf(opened.graph) });
  for (const [label, name] of labels.entries()) {
    mkdirSync(join(data, name), { recursive: true });
    for (let index = 0; index < 6; index++) {
      const pixels = Uint8Array.from(
        { length: 80 * 80 * 3 },
        (_, offset) => ((offset * (index + 3)) % 90) + 120 * label,
      );
      const png = await encodePng({ height: 80, width: 80, channels: 3, data: pixels });
      writeFileSync(join(data, name, `${index}.png`), png);
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The built command, in a process of its own. */
function built(args: readonly string[], { main = join(root, 'dist/cli/main.js') } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, OMP_WAIT_POLICY: 'passive' },
  });
  return { status, stdout, stderr };
}

/** One after the other: a command's output is that of the process. */
async function eachOf<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await each(item));
  return results;
}

describe('inception export -o FILE.onnx', () => {
  it('compares the file with libtorch and prints the difference', async () => {
    const { status, stdout, stderr } = await run(['export', model, '-o', onnx]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^ONNX Runtime against libtorch [\d.]+, 4 images: largest difference \S+, relative \d\.\de-\d \(tolerance 1e-4\), same top-1 on 4\n/,
    );
    expect(stdout).toMatch(
      /model\.safetensors, inception-resnet-v2: float32, \d+ nodes, \d+\.\d MB in .*model\.onnx\n$/,
    );
  });

  it('compares int8 with float32, also as JSON', async () => {
    const int8 = join(folder, 'int8.onnx');
    const args = [
      'export',
      model,
      '-o',
      int8,
      '--precision',
      'int8',
      '--calibrate',
      data,
      '--input',
      'uint8',
    ];
    writeFileSync(join(data, 'dark', 'notes.txt'), '');
    const leftOut = `${data}: left out 1 .txt file (dark/notes.txt)`;
    const { status, stdout, stderr } = await run([...args, '--calibration-method', 'percentile', '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: `${leftOut}\n` });
    expect(JSON.parse(stdout)).toMatchObject({
      network: 'inception-resnet-v2',
      precision: 'int8',
      parity: { images: 4 },
      accuracy: { images: 12, data },
      notices: [leftOut],
    });
  });

  it.each<[args: string[], message: RegExp]>([
    [['-o', 'x.bin'], /--output: expected a file that ends in \.onnx, or --to with one of timm/],
    [
      ['-o', 'x.onnx', '--to', 'timm'],
      /--to: exports weights, not ONNX files; received --to timm with 'x\.onnx'/,
    ],
    [
      ['-o', 'x.safetensors', '--to', 'timm', '--softmax'],
      /--softmax: has no effect with --to, which exports weights/,
    ],
    [
      ['-o', 'x.safetensors', '--to', 'timm', '--test-images', '5'],
      /--test-images: has no effect with --to, which exports weights/,
    ],
    [['-o', 'x.onnx', '--report'], /--report: has no effect without --to/],
    [['-o', 'x.onnx', '--calibrate', 'd'], /--calibrate: has no effect without --precision int8/],
    [['-o', 'x.onnx', '--precision', 'int8'], /--calibrate: .* does not say what it was trained on/],
    [
      ['-o', 'x.onnx', '--precision', 'int4'],
      /--precision: expected float32 or float16 or int8, received 'int4'/,
    ],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { status, stdout, stderr } = await run(['export', model, ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('an .onnx file', () => {
  const image = join(data, 'dark', '0.png');

  it('gives the same results as the run that it was exported from', async () => {
    const probabilities = await eachOf([model, onnx], async (path) => {
      const { stdout } = await run(['classify', image, '--model', path, '--json', ...precision(path)]);
      const [{ labels }] = JSON.parse(stdout) as [{ labels: { label: string; probability: number }[] }];
      return labels;
    });
    expect(probabilities[1]?.map(({ label }) => label)).toEqual(probabilities[0]?.map(({ label }) => label));
    expect(probabilities[1]?.[0]?.probability).toBeCloseTo(probabilities[0]?.[0]?.probability as number, 5);
    const scores = await eachOf([model, onnx], async (path) => {
      const { stdout } = await run([
        'evaluate',
        path,
        '--data',
        data,
        '--crops',
        '10',
        '--json',
        ...precision(path),
      ]);
      return JSON.parse(stdout) as {
        loss: number;
        confusion: number[][];
        protocol: string;
        onnxRuntime?: string;
      };
    });
    expect(scores[1]?.loss).toBeCloseTo(scores[0]?.loss as number, 5);
    expect(scores[1]?.confusion).toEqual(scores[0]?.confusion);
    expect(scores[1]?.protocol).toBe(scores[0]?.protocol);
    expect(scores[1]?.onnxRuntime).toMatch(/^1\./);
  });

  it('forms an ensemble with a run', async () => {
    const { status, stdout } = await run(['evaluate', model, onnx, '--data', data]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/ensemble {2}.*model\.safetensors, .*model\.onnx/);
  });

  it('is refused where weights or another precision are needed', async () => {
    expect((await run(['export', onnx, '--to', 'timm', '-o', 'x.safetensors'])).stderr).toMatch(
      /model\.onnx: an ONNX file can only predict .* expected a model with weights/,
    );
    const { status, stderr } = await run(['classify', image, '--model', onnx, '--precision', 'bfloat16']);
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /precision: the precision of an \.onnx file is fixed by its export; received 'bfloat16'/,
      ),
    ]);
  });

  const precision = (path: string) => (path === onnx ? [] : ['--precision', 'float32']);
});

describe('inception bench', () => {
  const bench = (...args: string[]) =>
    run(['bench', ...args, '--rounds', '1', '--against', 'none', '--json']);

  it('times an .onnx file, and the network and weights of a model', async () => {
    const file = JSON.parse((await bench('infer', onnx, '--batch', '2')).stdout);
    expect(file).toMatchObject({ work: { batch: 2 }, precision: 'float32', sides: [{ name: 'ours' }] });
    const comparison = JSON.parse(
      (await bench('infer', model, '--batch', '2', '--precision', 'float32')).stdout,
    );
    expect(comparison).toMatchObject({
      work: { network: 'inception-resnet-v2', options: { width: 0.25 } },
      model,
      sides: [{ name: 'ours' }, { name: 'floor' }],
    });
  });

  it.each<[args: string[], message: RegExp]>([
    [
      ['train', onnx],
      /train: an \.onnx file cannot be compiled or trained; expected 'bench infer .*' or 'bench memory .*'/,
    ],
    [
      ['infer', onnx, '--against', 'pytorch'],
      /--against: expected onnxruntime, openvino or none for an \.onnx file, received 'pytorch'/,
    ],
    [
      ['infer', model, '--input-size', '75'],
      /--input-size: has no effect with a model, which has its own network/,
    ],
    [
      ['infer', model, '--network', 'inception-v4'],
      /--network: has no effect with a model, which has its own network/,
    ],
    [['infer', onnx, '--width', '0.5'], /--width: has no effect with an \.onnx file/],
    [['data', '--layers', '3'], /unknown option '--layers'/],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { status, stderr } = await run(['bench', ...args]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('an .onnx file of another tool', () => {
  const foreign = join(root, 'test/fixtures/pytorch-onnx/torchscript.onnx');
  const image = join(data, 'dark', '0.png');
  const labels = join(folder, 'labels.txt');
  beforeAll(() =>
    writeFileSync(labels, Array.from({ length: 10 }, (_, index) => `thing ${index}\n`).join('')),
  );

  it('is classified and evaluated with options for its preprocessing', async () => {
    const options = ['--preprocessing', 'imagenet'];
    const args = ['classify', image, '--model', foreign, '--json', ...options];
    const classified = JSON.parse((await run([...args, '--model-labels', labels])).stdout);
    expect(classified[0].labels[0].label).toMatch(/^thing \d$/);
    expect(JSON.parse((await run(args)).stdout)[0].labels[0].label).toMatch(/^class \d$/);
    const numbers = ['--mean', '0.485,0.456,0.406', '--std', '0.229,0.224,0.225'];
    const same = await run([
      'classify',
      image,
      '--model',
      foreign,
      '--json',
      ...numbers,
      '--model-labels',
      labels,
    ]);
    expect(JSON.parse(same.stdout)).toEqual(classified);
    const ten = join(folder, 'ten');
    for (let index = 0; index < 10; index++)
      cpSync(join(data, 'dark', `${index % 6}.png`), join(ten, `class-${index}`, 'a.png'));
    mkdirSync(join(ten, 'empty'));
    const { status, stdout, stderr } = await run([
      'evaluate',
      foreign,
      '--data',
      ten,
      '--crop',
      '1',
      '--json',
      ...options,
    ]);
    const leftOut = `${ten}: left out 1 folder without images (empty)`;
    expect(stderr).toContain(`${leftOut}\n`);
    expect([status, JSON.parse(stdout)]).toMatchObject([
      0,
      {
        count: 10,
        networks: ['unknown'],
        protocol: expect.stringContaining('shorter side to 64'),
        notices: expect.arrayContaining([leftOut]),
      },
    ]);
  });

  it.each<[args: string[], status: number, message: RegExp]>([
    [
      [],
      1,
      /torchscript\.onnx: the file does not state how images are scaled; expected .* \(--preprocessing imagenet, /,
    ],
    [['--mean', '0.5', '--std', '0'], 2, /--std: expected one number or three, .* received '0'/],
    [
      ['--preprocessing', 'torch'],
      2,
      /--preprocessing: expected imagenet or inception or keras or tf-slim, received 'torch'/,
    ],
    [
      ['--preprocessing', 'imagenet', '--input-size', '32'],
      1,
      /\[n, 3, 32, 32\] .* received input\.1: float32 \[1, 3, 64, 64\]/,
    ],
    [
      ['--preprocessing', 'imagenet', '--model-labels', foreign],
      1,
      /torchscript\.onnx: not a text file in UTF-8/,
    ],
  ])('is refused with %j', async (args, status, message) => {
    const result = await run(['classify', image, '--model', foreign, ...args]);
    expect([result.status, result.stderr]).toEqual([status, expect.stringMatching(message)]);
  });

  it('is the only kind of model whose outputs may be probabilities; labels and scaling are for weights, too', async () => {
    const refused = await run(['classify', image, '--model', model, '--probabilities']);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/applies to \.onnx files only; received none/),
    ]);
    const [usual, scaled] = await eachOf([[], ['--mean', '0', '--std', '1']], (args) =>
      run(['classify', image, '--model', model, '--json', ...args]),
    );
    expect([usual?.status, scaled?.status]).toEqual([0, 0]);
    expect(scaled?.stdout).not.toBe(usual?.stdout);
  });
});

describe('without libtorch', () => {
  // The same command in a folder without an addon.
  const bare = join(folder, 'bare');
  beforeAll(() => {
    cpSync(join(root, 'dist'), join(bare, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(bare, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(bare, 'node_modules'));
    // A checkout does not look for an addon in the user's cache.
    mkdirSync(join(bare, 'test'));
  });
  const main = join(bare, 'dist/cli/main.js');

  const image = join(data, 'dark', '0.png');

  it('classifies and evaluates ONNX files', () => {
    expect(built(['classify', image, '--model', onnx], { main })).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(built(['evaluate', onnx, '--data', data, '--json'], { main })).toMatchObject({ status: 0 });
  });

  it('classifies and evaluates weights with ONNX Runtime, with libtorch’s results, and says so', async () => {
    const commands = [
      ['classify', image, '--model', model, '--json'],
      ['evaluate', model, onnx, '--data', data, '--crops', '10', '--json'],
    ];
    for (const command of commands) {
      const { status, stdout, stderr } = built(command, { main });
      expect([status, stderr]).toEqual([
        0,
        expect.stringMatching(
          /model\.safetensors: ONNX Runtime [\d.]+, float32 \(libtorch is not set up: the native addon cannot be loaded \(.*\n/,
        ),
      ]);
      const torch = await run([...command, '--precision', 'float32']);
      expect(torch.stderr).not.toMatch(/ONNX Runtime/);
      const [here, there] = [stdout, torch.stdout].map((text) => JSON.parse(text));
      if (command[0] === 'classify') {
        const [[ours], [theirs]] = [here[0].labels, there[0].labels];
        expect(ours.label).toBe(theirs.label);
        expect(ours.probability).toBeCloseTo(theirs.probability, 5);
      } else {
        expect(here.confusion).toEqual(there.confusion);
        expect(here.loss).toBeCloseTo(there.loss, 5);
        expect([here.libtorch, there.libtorch]).toEqual([undefined, expect.stringMatching(/^\d/)]);
      }
    }
  });

  it('says what to install if ONNX Runtime is missing too', () => {
    const barer = join(folder, 'barer');
    cpSync(join(bare, 'dist'), join(barer, 'dist'), { recursive: true });
    cpSync(join(bare, 'package.json'), join(barer, 'package.json'));
    mkdirSync(join(barer, 'node_modules'));
    for (const name of readdirSync(join(root, 'node_modules')))
      if (name !== 'onnxruntime-node')
        symlinkSync(join(root, 'node_modules', name), join(barer, 'node_modules', name));
    const { status, stderr } = built(['classify', image, '--model', model], {
      main: join(barer, 'dist/cli/main.js'),
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^inception: .*model\.safetensors cannot be computed here: libtorch is not set up: .*; ONNX Runtime cannot be loaded/,
      ),
    ]);
  });

  it('says that training and other commands need libtorch', () => {
    for (const command of [
      ['classify', image, '--model', model, '--precision', 'bfloat16'],
      ['train', 'inception-v4', '--data', data, '--out', join(folder, 'run')],
    ]) {
      const { status, stderr } = built(command, { main });
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^inception: libtorch is not set up: /)]);
    }
  });

  it('writes ONNX files, with a warning that they were not compared', () => {
    const other = join(folder, 'other.onnx');
    const { status, stderr } = built(['export', model, '-o', other], { main });
    expect([status, stderr]).toEqual([0, expect.stringMatching(/^warning: not compared with libtorch/)]);
    expect(existsSync(other)).toBe(true);
  });
});
