import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { standardPreprocessing } from '../../images/preprocess.ts';
import { drawCurves } from '../charts/curves.ts';
import { type Configuration, parseConfiguration } from '../configuration/configuration.ts';
import { resolveRecipe } from '../recipe/recipe.ts';
import { type EvaluationMetrics, RunFolder, type StepMetrics } from './run-folder.ts';

const configuration: Configuration = {
  format: 1,
  network: 'inception-v4',
  options: {
    classes: 10,
    inputSize: [75, 80],
    width: 0.25,
    blocks: { A: 1 },
    residualScale: 'off',
    auxiliary: true,
    dropoutKeep: 1,
  },
  data: 'fashion-mnist',
  classes: ['a', 'b'],
  preprocessing: standardPreprocessing([75, 80], { crop: 1 }),
  recipe: resolveRecipe('paper'),
  seed: 1,
  precision: 'float32',
  device: 'cpu',
  threads: 2,
  limitTrain: null,
  limitTest: 5,
  versions: { inception: '0.1.0', libtorch: '1.13.1', node: '20.19.0' },
};

const line = (step: number): StepMetrics => ({
  kind: 'train',
  step,
  epoch: step / 10,
  loss: 2 - step / 100,
  trainError: 0.5,
  learningRate: 0.1,
  gradientNorm: 1,
  zeroShare: 0.2,
  imagesPerSecond: 100,
  waitShare: 0.01,
  residentBytes: 1e9,
  elapsedSeconds: step,
});

const evaluation = (step: number): EvaluationMetrics => ({
  kind: 'evaluation',
  step,
  epoch: step / 10,
  validationLoss: 0.5,
  top1Error: 0.0912,
  top5Error: 0.01,
  elapsedSeconds: step,
});

let path: string;
let folder: RunFolder;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'inception-run-'));
  folder = new RunFolder(path);
});
afterEach(() => rm(path, { recursive: true, force: true }));

describe('a run folder', () => {
  it('reads back its configuration', async () => {
    await folder.create(configuration);
    expect(await folder.configuration()).toEqual(configuration);
  });

  it('is not overwritten by another run', async () => {
    await folder.create(configuration);
    await expect(folder.create(configuration)).rejects.toThrow(
      'already holds a run; continue it with --resume, or choose another folder',
    );
  });

  it('is refused if it holds no run', async () => {
    await expect(folder.configuration()).rejects.toThrow('is not a run: it has no config.json');
  });

  it('drops metrics written after the checkpoint, and a truncated last line', async () => {
    await folder.create(configuration);
    for (const step of [10, 20, 30]) await folder.append(line(step));
    await appendFile(folder.file('metrics.jsonl'), '{"kind":"train","st');
    expect(await folder.truncateMetrics(20)).toBe(0);
    expect((await folder.metrics()).map(({ step }) => step)).toEqual([10, 20]);
  });

  it('reads lines of earlier versions, whose evaluations had a test loss', async () => {
    await folder.create(configuration);
    const { validationLoss, ...rest } = evaluation(10);
    await appendFile(
      folder.file('metrics.jsonl'),
      `${JSON.stringify({ ...rest, testLoss: validationLoss })}\n`,
    );
    expect(await folder.metrics()).toEqual([evaluation(10)]);
  });

  it('counts lines that are no metrics when it drops them', async () => {
    await folder.create(configuration);
    await folder.append(line(10));
    await appendFile(folder.file('metrics.jsonl'), 'null\n{"kind":"train","step":"x","epoch":1}\n');
    await folder.append(line(20));
    expect((await folder.metrics()).map(({ step }) => step)).toEqual([10, 20]);
    expect(await folder.truncateMetrics(20)).toBe(2);
    expect(await folder.truncateMetrics(20)).toBe(0);
  });

  it('keeps the latest two checkpoints, and everything that is not one', async () => {
    await folder.create(configuration);
    for (const step of [5, 100, 20, 30]) await writeFile(folder.checkpoint(step), '');
    await mkdir(folder.checkpoint(200));
    const others = ['best.safetensors', 'notes.txt', '00050.safetensors', '7.safetensors.damaged'];
    for (const name of others) await writeFile(join(path, 'checkpoints', name), '');
    expect(await folder.checkpoints()).toEqual([100, 30, 20, 5]);
    await folder.removeOldCheckpoints();
    expect((await readdir(join(path, 'checkpoints'))).sort()).toEqual(
      ['100.safetensors', '200.safetensors', '30.safetensors', ...others].sort(),
    );
  });

  it('removes what a killed process left half-written, and nothing else', async () => {
    await folder.create(configuration);
    const incomplete = [
      'checkpoints/40.safetensors.77.0',
      'model.safetensors.77.3',
      'metrics.jsonl.9',
      'data.json.9.1',
      'curves.svg.1.2',
      'pid.5c2f52b0-236c-4ef7-affa-b0942fc5dfb8',
    ];
    for (const name of incomplete) await writeFile(join(path, `${name}.incomplete`), '');
    const kept = [
      'notes.1.incomplete',
      'model.safetensors.incomplete',
      'checkpoints/best.safetensors.1.incomplete',
    ];
    for (const name of kept) await writeFile(join(path, name), '');
    await folder.removeIncomplete();
    expect((await readdir(path, { recursive: true })).sort()).toEqual(
      ['checkpoints', 'config.json', ...kept].sort(),
    );
  });

  it('is locked by one training, and says so', async () => {
    await folder.lock();
    await folder.create(configuration);
    expect(await folder.isTraining()).toBe(true);
    await expect(folder.lock()).rejects.toThrow(`process ${process.pid} is training here`);
    await folder.unlock();
    expect(await folder.isTraining()).toBe(false);
  });
});

describe('parseConfiguration', () => {
  it('upgrades a recipe written before optimisers were selectable', () => {
    const { optimizer, augmentation, ...recipe } = configuration.recipe;
    if (optimizer.kind !== 'rmsprop') throw new TypeError('expected RMSProp');
    const { decay: rmsDecay, epsilon: rmsEpsilon, momentum } = optimizer;
    const old = { ...recipe, rmsDecay, rmsEpsilon, momentum, distortion: augmentation };
    const text = JSON.stringify({ ...configuration, recipe: old });
    expect(parseConfiguration(text, 'config.json')).toEqual(configuration);
  });

  it('reads a recipe written before it could balance classes, mix images and freeze parts', () => {
    const { classWeights, sampling, freeze, layerDecay, augmentation, ...recipe } = configuration.recipe;
    const { area, aspect, shift, flip, colour, erase } = augmentation;
    const old = { ...recipe, augmentation: { area, aspect, shift, flip, colour, erase } };
    const text = JSON.stringify({ ...configuration, recipe: old });
    expect(parseConfiguration(text, 'config.json')).toEqual(configuration);
  });

  it('names every invalid key', () => {
    const text = JSON.stringify({
      ...configuration,
      seed: 'one',
      speed: 3,
      recipe: { ...configuration.recipe, batch: null },
    });
    expect(() => parseConfiguration(text, 'config.json')).toThrow(
      /^config\.json: recipe\.batch: expected a whole number of at least 1 and at most 65536, received null; seed: expected a whole number of at least 0 and at most 4294967295, received "one"; top level: .*"speed"/,
    );
    expect(() => parseConfiguration('{', 'config.json')).toThrow(/^config\.json: not JSON/);
  });
});

describe('the values of a configuration', () => {
  const { recipe } = configuration;
  const huge = [1e6, 1e6] as const;
  it.each<[changes: object, key: string]>([
    [{ recipe: { ...recipe, batch: 0 } }, 'recipe.batch'],
    [{ recipe: { ...recipe, batch: 1e9 } }, 'recipe.batch'],
    [{ recipe: { ...recipe, epochs: -1 } }, 'recipe.epochs'],
    [{ recipe: { ...recipe, epochs: 1e308 } }, 'recipe.epochs'],
    [{ recipe: { ...recipe, optimizer: { ...recipe.optimizer, epsilon: -1 } } }, 'recipe.optimizer.epsilon'],
    [{ recipe: { ...recipe, averageDecay: 1 } }, 'recipe.averageDecay'],
    [
      { recipe: { ...recipe, augmentation: { ...recipe.augmentation, shift: 1e9 } } },
      'recipe.augmentation.shift',
    ],
    [{ limitTrain: -5 }, 'limitTrain'],
    [{ limitTest: 0.5 }, 'limitTest'],
    [{ seed: 1e300 }, 'seed'],
    [{ threads: 1e9 }, 'threads'],
    [{ evaluateEvery: 0 }, 'evaluateEvery'],
    [{ preprocessing: { ...configuration.preprocessing, size: huge } }, 'preprocessing'],
    [{ options: { inputSize: huge } }, 'options.inputSize'],
    [{ options: { blocks: { A: 1e9 } } }, 'options.blocks'],
    [{ options: { width: 1e6 } }, 'options.width'],
  ])('are held to the ranges of the command line: %j', (changes, key) => {
    const text = JSON.stringify({ ...configuration, ...changes });
    expect(() => parseConfiguration(text, 'config.json')).toThrow(`config.json: ${key}`);
  });
});

describe('drawCurves', () => {
  it('draws losses and errors with axes and the last validation error', async () => {
    const svg = await drawCurves([line(5), line(10), evaluation(10), line(20), evaluation(20)], 'runs/first');
    for (const text of [
      'runs/first',
      'validation error 9.12% after 2 epochs',
      'cross-entropy (nats)',
      'error (%)',
      'epoch',
      'validation loss',
    ]) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toContain('test');
    expect(svg).toMatch(/^<svg [^>]*>\s*<title>Loss and error of runs\/first<\/title>.*<\/svg>\s*$/s);
  });

  it('ends with the test error where there is a test', async () => {
    const test = { kind: 'test', step: 20, epoch: 2, testLoss: 0.6, top1Error: 0.1, top5Error: 0 } as const;
    const svg = await drawCurves([line(5), evaluation(20), { ...test, elapsedSeconds: 20 }], 'runs/first');
    for (const text of ['validation loss', 'test loss', 'test error 10.00% after 2 epochs'])
      expect(svg).toContain(text);
  });

  it('draws a run without metrics', async () => {
    expect(await drawCurves([], 'runs/first')).toContain('</svg>');
  });
});
