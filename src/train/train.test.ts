/**
 * Trainings of a very small network on a few real images: started, killed and read. Over 400 lines: all of them need the same network, data and
 * recipe, of which one training takes seconds.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest } from '../../test/digest.ts';
import { encodePng } from '../data/decode.ts';
import { fashionMnistClasses } from '../data/fashion-mnist/fashion-mnist.ts';
import { openData } from '../data/open-data.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { loadModel } from '../predict/load-model.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors/safetensors.ts';
import type { Configuration } from './configuration/configuration.ts';
import { resolveRecipe } from './recipe/recipe.ts';
import { RunFolder } from './run/run-folder.ts';
import { runLoop } from './run-loop.ts';

const bin = new URL('../../bin/inception', import.meta.url).pathname;
let root: string;
let engine: Engine;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-train-'));
  engine = openTorch({ device: 'cpu' });
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

const small = [
  'train',
  'inception-resnet-v2',
  '--data',
  'fashion-mnist',
  '--recipe',
  'small-data',
  '--width',
  '0.125',
  '--blocks',
  '1,1,1',
  '--input-size',
  '75',
  '--batch',
  '16',
  '--limit-train',
  '320',
  '--limit-test',
  '64',
  '--validation',
  '0',
  '--precision',
  'float32',
];
/** The same with evaluations after every epoch. */
const validated = [...small, '--validation', '0.1', '--limit-validation', '32'];

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]): {
  child: ChildProcess;
  ended: Promise<Ended>;
  waitFor: (text: RegExp) => Promise<void>;
} {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  const waitFor = async (text: RegExp) => {
    while (!text.test(stderr)) {
      if (child.exitCode !== null) throw new Error(`exited before printing ${text}:\n${stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { child, ended, waitFor };
}

/** Digests of all tensors of a file, by name. */
async function tensorsOf(path: string): Promise<Map<string, string>> {
  const file = await openSafetensors(path);
  const tensors = new Map<string, string>();
  for (const name of file.tensors.keys()) tensors.set(name, digest((await file.read(name)).data));
  await file.close();
  return tensors;
}

describe('a training on the command line', () => {
  it('gives the same weights if it is killed and resumed', async () => {
    const [whole, killed] = [join(root, 'whole'), join(root, 'killed')];
    const uninterrupted = await start([...validated, '--epochs', '2', '--out', whole]).ended;
    expect(uninterrupted.code, uninterrupted.stderr).toBe(0);
    expect(uninterrupted.stdout).toMatch(/^test error \d+\.\d\d%\n$/);

    const first = start([...validated, '--epochs', '2', '--save-every', '7', '--out', killed]);
    const folder = new RunFolder(killed);
    while ((await folder.checkpoints()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    first.child.kill('SIGKILL');
    expect((await first.ended).signal).toBe('SIGKILL');
    const [saved = 0] = await folder.checkpoints();
    expect(saved).toBeLessThan(40);

    const resumed = await start(['train', '--resume', '--save-every', '7', '--out', killed]).ended;
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain(`resumed after step ${saved}`);
    const [expected, actual] = [
      await tensorsOf(join(whole, 'checkpoints/40.safetensors')),
      await tensorsOf(join(killed, 'checkpoints/40.safetensors')),
    ];
    expect(actual).toEqual(expected);
    expect(await tensorsOf(join(killed, 'model.safetensors'))).toEqual(
      await tensorsOf(join(whole, 'model.safetensors')),
    );
    const steps = (await folder.metrics()).map(({ step }) => step);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    const evaluated = (await folder.metrics()).flatMap(({ kind, step }) =>
      kind === 'train' ? [] : [[kind, step]],
    );
    expect(evaluated).toEqual([
      ['evaluation', 20],
      ['evaluation', 40],
      ['test', 40],
    ]);
    expect(await readFile(join(killed, 'curves.svg'), 'utf8')).toContain('test error');

    expect(uninterrupted.stderr).toMatch(/^estimate: .* for 36 more steps of .* and 2 evaluations$/m);
    const tuned = await start([
      ...['train', '--weights', whole, '--data', 'fashion-mnist', '--limit-train', '12', '--limit-test', '8'],
      ...['--validation', '0', '--epochs', '1', '--precision', 'float32', '--out', join(root, 'tuned')],
    ]).ended;
    expect([tuned.code, tuned.stderr.split('\n')]).toEqual([
      0,
      expect.arrayContaining([
        expect.stringMatching(
          /^weights: .*whole.model\.safetensors, [\d,]+ parameters and all moving statistics kept/,
        ),
        'classifier: kept, all 10 classes are those of the weights',
        'batch of 12, which are all training images, instead of 16; learning rate 0.00015 with it',
        expect.stringContaining('recipe: fine-tune, 1 epoch'),
      ]),
    ]);

    const again = await start(['train', '--resume', '--out', whole]).ended;
    expect([again.code, again.stdout]).toEqual([0, uninterrupted.stdout]);
    await expectUsable(whole);
  });

  /** A finished run evaluates to the error that its training reported, and classifies files. */
  async function expectUsable(run: string): Promise<void> {
    const last = (await new RunFolder(run).metrics()).findLast((line) => line.kind === 'test');
    const evaluated = await start(['evaluate', run, '--limit', '64', '--precision', 'float32', '--json'])
      .ended;
    expect(evaluated.code, evaluated.stderr).toBe(0);
    const { top1Error, confusion, protocol, count } = JSON.parse(evaluated.stdout);
    expect(top1Error).toBe(last?.kind === 'test' && last.top1Error);
    expect(confusion.reduce((sum: number, [, , images]: number[]) => sum + (images ?? 0), 0)).toBe(count);
    expect(protocol).toBe(
      'single crop, whole image, stretched to 75×75 (bilinear, half-pixel centres), values in [−1, 1]',
    );
    const table = await start([
      'evaluate',
      join(run, 'model.safetensors'),
      '--limit',
      '64',
      '--precision',
      'float32',
      '--confusion',
    ]).ended;
    expect(table.stdout).toContain('9 Ankle boot');
    expect(table.stdout).toMatch(/\ntop-1 error \d+\.\d\d%, top-5 error \d+\.\d\d%\n$/);

    const test = await openData('fashion-mnist', 'test');
    const files = await Promise.all(
      [0, 1].map(async (index) => {
        const file = join(root, `image${index}.png`);
        await writeFile(file, await encodePng(await test.image(index)));
        return file;
      }),
    );
    const classified = await start([
      'classify',
      ...files,
      '--model',
      run,
      '--top',
      '2',
      '--precision',
      'float32',
      '--json',
    ]).ended;
    const results = JSON.parse(classified.stdout) as {
      file: string;
      labels: { label: string; probability: number }[];
    }[];
    expect(results.map(({ file, labels }) => [file, labels.length])).toEqual(files.map((file) => [file, 2]));
    for (const { labels } of results)
      expect(labels[0]?.probability).toBeGreaterThanOrEqual(labels[1]?.probability as number);
    const example = new URL('../../examples/classify-an-image.mjs', import.meta.url).pathname;
    const printed = spawnSync(process.execPath, [example, run, files[0] as string], { encoding: 'utf8' });
    const [label, probability] = printed.stdout.trim().split(/ (?=\S+$)/);
    // With precision auto, as in the example.
    const alone = await start(['classify', files[0] as string, '--model', run, '--json']).ended;
    const [best] = (JSON.parse(alone.stdout) as typeof results)[0]?.labels ?? [];
    expect(best, printed.stderr).toMatchObject({ label, probability: Number(probability) });
    const none = join(root, 'none.png');
    const missing = await start(['classify', none, files[0] as string, '--model', run, '--json']).ended;
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/none\.png: no such file\n1 of 2 images could not be classified\n$/),
    ]);
    expect(JSON.parse(missing.stdout)).toMatchObject([
      { file: none, error: `${none}: no such file` },
      { file: files[0], labels: expect.any(Array) },
    ]);
  }

  it('saves a checkpoint on Ctrl-C and exits with 130, on SIGTERM with 143, on SIGHUP with 129', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      const path = join(root, signal);
      const running = start([...small, '--epochs', '50', '--out', path]);
      await running.waitFor(/step \d+\//);
      running.child.kill(signal);
      const ended = await running.ended;
      expect(ended.code, ended.stderr).toBe(code);
      expect(ended.stderr).toMatch(/stopped after step \d+; 'inception train --resume --out .*' continues/);
      expect(await new RunFolder(path).checkpoints()).not.toEqual([]);
    }
  });

  it('is not ended by a standard error that is closed and a standard output that is full', async () => {
    const path = join(root, 'closed');
    const full = existsSync('/dev/full') ? openSync('/dev/full', 'w') : 'ignore';
    const args = [...small, '--limit-train', '32', '--epochs', '1', '--out', path];
    const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', full, 'pipe'] });
    child.stderr?.once('data', () => child.stderr?.destroy());
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(0);
    expect(await new RunFolder(path).checkpoints()).toEqual([2]);
    if (typeof full === 'number') closeSync(full);
  });

  it('stops if the loss is not finite, and suggests a remedy', async () => {
    const path = join(root, 'diverged');
    const args = [
      ...small,
      '--epochs',
      '3',
      '--learning-rate',
      '1e30',
      '--warmup',
      '0',
      '--momentum',
      '0',
      '--save-every',
      '1',
      '--out',
      path,
    ];
    const ended = await start(args).ended;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /inception: step \d+: the (loss is (NaN|Infinity)|gradient's norm is (NaN|Infinity)) at learning rate \S+\. 'inception train --resume --out .* --learning-rate 1e\+29' continues/,
    );
  });

  it.each([
    [['train'], 2, 'required option'],
    [['train', '--out', 'x'], 2, "expected a network ('inception models' lists them), or --weights MODEL"],
    [
      [...small, '--epochs', 'two', '--out', 'x'],
      2,
      "--epochs: expected a number above 0 and at most 1000000, or auto, received 'two'",
    ],
    [
      [...small, '--recipe', 'best', '--out', 'x'],
      2,
      "--recipe: expected paper or small-data or fine-tune, received 'best'",
    ],
    [
      [...small, '--input-size', '40', '--out', 'never-made'],
      1,
      'needs an input of at least 75×75 pixels, received 40×40',
    ],
    [['train', '--resume', '--out', '/nowhere'], 1, '/nowhere is not a run'],
  ])('refuses %j', async (args, code, message) => {
    const ended = await start(args as string[]).ended;
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
  });
});

const configuration = (overrides: Partial<Configuration> = {}): Configuration => ({
  format: 1,
  network: 'inception-v4',
  options: { classes: 10, width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 },
  data: 'fashion-mnist',
  classes: fashionMnistClasses,
  preprocessing: standardPreprocessing([75, 75], { crop: 1 }),
  recipe: resolveRecipe('small-data', { batch: 8, epochs: 1 }),
  seed: 1,
  precision: 'float32',
  device: 'cpu',
  threads: 2,
  limitTrain: 320,
  validation: 0,
  limitTest: 16,
  versions: { inception: '0.1.0', libtorch: '1.13.1', node: process.versions.node },
  ...overrides,
});

describe('train', () => {
  it('stops if the network has died, and suggests the paper’s remedy', async () => {
    const folder = new RunFolder(join(root, 'dead'));
    const config = configuration();
    await folder.create(config);
    const interruption = new AbortController();
    const { position } = await runLoop({
      configuration: config,
      folder,
      engine,
      resume: false,
      signal: interruption.signal,
      onStep: () => interruption.abort(),
    });
    expect(position.step).toBe(1);
    // Kills the last block: every feature becomes ReLU(0 · x − 1000).
    const path = folder.checkpoint(1);
    const kill = async (alive: readonly number[]) => {
      const file = await openSafetensors(path);
      const tensors = await Promise.all(
        [...file.tensors.keys()].map(async (name) => {
          const tensor = await file.read(name);
          if (/^inceptionC\/0\/.*gamma$/.test(name)) (tensor.data as Float32Array).fill(0);
          if (/^inceptionC\/0\/.*beta$/.test(name)) {
            (tensor.data as Float32Array).fill(-1000);
            (tensor.data as Float32Array).set(alive);
          }
          return { ...tensor, read: () => tensor.data };
        }),
      );
      await file.close();
      await writeSafetensors(path, { tensors, metadata: Object.fromEntries(file.metadata), checksums: true });
    };
    // With one feature of each branch left it is not dead, and learns nothing: that is said once, and recorded.
    await kill([1]);
    const warnings: string[] = [];
    const stopped = new AbortController();
    await runLoop({
      ...{ configuration: config, folder, engine, resume: true, signal: stopped.signal },
      onWarning: (message) => warnings.push(message),
      onStep: ({ step }) => step === 26 && stopped.abort(),
    });
    expect(warnings.filter((warning) => warning.includes('is dying'))).toEqual([
      expect.stringMatching(/^step 2[2-6]: the network is dying: 9[5-9]\.\d% of the features/),
    ]);
    expect((await folder.metrics()).filter((line) => 'remark' in line)).toHaveLength(1);
    await rm(folder.checkpoint(26));

    await kill([]);
    await expect(runLoop({ configuration: config, folder, engine, resume: true })).rejects.toThrow(
      /^step 21: the network has died: for 20 steps every feature .* was zero\. Start a new run with a lower --learning-rate/,
    );
  });

  it('trains with the auxiliary head and the paper’s recipe, and the model predicts', async () => {
    const folder = new RunFolder(join(root, 'auxiliary'));
    const recipe = resolveRecipe('paper', { batch: 8, epochs: 1, batchNormMomentum: 0.1, clipNorm: 5 });
    const config = configuration({
      network: 'inception-v3',
      options: { ...configuration().options, auxiliary: true },
      recipe,
    });
    await folder.create(config);
    const result = await runLoop({ configuration: config, folder, engine, resume: false });
    expect(result).toMatchObject({ finished: true, position: { step: 40, epoch: 1, position: 0 } });
    const lines = await folder.metrics();
    expect(lines.filter(({ kind }) => kind === 'train')).toHaveLength(20);
    const { predictor } = await loadModel(folder.path, { engine, batch: 2, precision: 'float32' });
    const probabilities = await predictor.predict(new Uint8Array(2 * 75 * 75 * 3));
    expect(probabilities.slice(0, 10).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
  });

  it('refuses data with other classes', async () => {
    const folder = new RunFolder(join(root, 'classes'));
    await expect(
      runLoop({ configuration: configuration({ classes: ['a', 'b'] }), folder, engine, resume: false }),
    ).rejects.toThrow(/^fashion-mnist train: its classes are T-shirt\/top, .*; the run has a, b$/);
  });
});
