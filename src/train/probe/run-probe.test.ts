/** Probes of a small network on images of two colours, and what other commands make of the runs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { loadClassifier } from '../../classifier/classifier.ts';
import type { Engine } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import { findPart } from '../../features/parts.ts';
import { parametersOf } from '../../graph/graph.ts';
import { writeModel } from '../../model/write-model.ts';
import { RunFolder } from '../run/run-folder.ts';
import { train } from '../start-run.ts';
import { isProbe } from './around-training.ts';
import { probe } from './start-probe.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-probe-'));
const weights = join(root, 'weights.safetensors');
const data = join(root, 'data');
const cache = join(root, 'cache');
const model = sampleModel('inception-v3', { width: 0.125 });
let engine: Engine;

const shades = [0, 60, 120, 180];

beforeAll(async () => {
  engine = openTorch({ device: 'cpu' });
  await writeModel(weights, { ...model, parameters: parametersOf(model.graph) });
  for (const [index, label] of ['emu', 'kiwi'].entries())
    for (const split of ['train', 'val', 'test']) {
      const folder = join(data, split, label);
      await mkdir(folder, { recursive: true });
      for (const shade of shades) {
        const background = { r: shade + (split === 'train' ? 0 : 20), g: 200 * index, b: 40 };
        await sharp({ create: { width: 75, height: 75, channels: 3, background } })
          .png()
          .toFile(join(folder, `${shade}.png`));
      }
    }
});
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

const common = { weights, data, cache, precision: 'float32' } as const;

describe('a probe', () => {
  it('is a run whose model says what the probe said', async () => {
    const out = join(root, 'probe');
    const lines: string[] = [];
    const result = await probe({ ...common, engine, out, onNotice: (line) => lines.push(line) });
    expect(result.evaluation).toMatchObject({ kind: 'evaluation', top1Error: 0 });
    expect(result.test).toMatchObject({ kind: 'test', top1Error: 0 });
    expect(lines).toContainEqual(expect.stringMatching(/^nearest neighbours: validation error .*\(k = 1\)/));
    expect(lines).toContainEqual(expect.stringMatching(/^probe: validation error 0.00%, loss /));
    const folder = new RunFolder(out);
    expect(await folder.configuration()).toMatchObject({
      network: 'inception-v3',
      classes: ['emu', 'kiwi'],
      recipe: { name: 'probe', freeze: 'all' },
      weights: { reinitialised: ['emu', 'kiwi'], kept: [] },
      probe: { isModel: true, parts: [{ features: 'classifier', error: 0, converged: true }] },
    });
    expect((await folder.metrics()).map(({ kind }) => kind)).toEqual(['evaluation', 'test']);
    expect(JSON.parse(readFileSync(join(out, 'evaluation.json'), 'utf8'))).toMatchObject({
      split: 'validation',
      confusion: [
        [0, 0, 4],
        [1, 1, 4],
      ],
    });
    const card = readFileSync(join(out, 'README.md'), 'utf8');
    expect(card).toContain('the classifier alone, a softmax regression');
    expect(card).toContain('precision (validation)');
    expect(card).not.toMatch(/epochs|batch|learning rate/);
    await using classifier = await loadClassifier(out, { engine, precision: 'float32' });
    const images = shades.map((shade) => join(data, 'val', 'kiwi', `${shade}.png`));
    const loss = (await classifier.classify(images)).map(([{ label, probability }]) => {
      expect(label).toBe('kiwi');
      return -Math.log(probability);
    });
    const kiwis = loss.reduce((sum, each) => sum + each, 0) / loss.length;
    expect(kiwis).toBeLessThan(2 * (result.evaluation?.validationLoss ?? 0) + 1e-4);
  });

  it('of a model with hidden layers reads what they read, before a training and by itself', async () => {
    const bent = sampleModel('inception-v3', { width: 0.125, hidden: [24] });
    const hidden = join(root, 'hidden.safetensors');
    await writeModel(hidden, { ...bent, parameters: parametersOf(bent.graph) });
    const { length } = findPart(bent.graph);
    const alone = await probe({ ...common, weights: hidden, engine, out: join(root, 'hidden-probe') });
    const expected = [{ features: 'classifier', length, error: 0 }];
    expect(alone.probe.parts).toMatchObject(expected);
    const run = train({
      ...{ weights: hidden, data, engine, precision: 'float32', out: join(root, 'hidden-tuned') },
      recipe: { epochs: 20, batch: 8 },
    });
    for await (const event of run) if (event.kind === 'start') run.stop();
    const { probe: recorded } = await new RunFolder(run.folder).configuration();
    expect(recorded?.parts).toMatchObject(expected);
  });

  it('of an earlier part is a network that ends there; its features come from the cache the second time', async () => {
    const lines: string[] = [];
    const onNotice = (line: string) => lines.push(line);
    const out = join(root, 'earlier');
    await probe({ ...common, engine, out: join(root, 'first'), features: 'reductionA' });
    const { evaluation } = await probe({ ...common, engine, out, features: 'reductionA', onNotice });
    expect(lines).toContainEqual(expect.stringMatching(/8 from the cache, 0 computed/));
    expect(evaluation).toMatchObject({ top1Error: 0 });
    const { network, figure, options } = await new RunFolder(out).configuration();
    expect(network).toBe('inception-v3-to-reductionA');
    expect(Object.keys(figure?.layers ?? {})).toEqual([
      'stem',
      'inceptionA',
      'reductionA',
      'averagePooling',
      'dropout',
      'logits',
    ]);
    expect(options).toMatchObject({ width: 0.125, classes: 2 });
    await using classifier = await loadClassifier(out, { engine, precision: 'float32' });
    const [best] = await classifier.classify(join(data, 'test', 'emu', '60.png'));
    expect(best.label).toBe('emu');
  });

  it('of a part at which no network can end is refused before an image is read', async () => {
    const inside = [...model.graph.endpoints.keys()].find((name) => /^stem\/./.test(name)) as string;
    let images = 0;
    const onImage = () => images++;
    const out = join(root, 'inside');
    const fresh = join(root, 'fresh');
    await expect(probe({ ...common, engine, out, features: inside, cache: fresh, onImage })).rejects.toThrow(
      `inception-v3 cannot end after '${inside}'`,
    );
    expect(images).toBe(0);
  });

  it('of all parts reports each', async () => {
    const { probe: record } = await probe({ ...common, engine, out: join(root, 'all'), features: 'auto' });
    expect(record.parts.map(({ features }) => features).sort()).toEqual(
      ['classifier', 'inceptionA', 'inceptionB', 'reductionA', 'reductionB'].sort(),
    );
  });

  it('is not resumed, and says how it is fine-tuned', async () => {
    const out = join(root, 'not-resumed');
    await probe({ ...common, engine, out });
    await expect(train({ resume: out, engine }).result).rejects.toThrow(
      `${out} is a probe: its classifier is solved, and there are no steps to go on with; 'inception train --weights ${out}' fine-tunes it`,
    );
  });

  it('is what a training of the classifier alone makes, unless something is asked of it that needs steps', async () => {
    const run = train({
      weights,
      data,
      engine,
      precision: 'float32',
      out: join(root, 'frozen'),
      recipe: { freeze: 'all' },
    });
    expect(await run.result).toMatchObject({ finished: true, position: { step: 0 }, test: { top1Error: 0 } });
    expect((await new RunFolder(run.folder).configuration()).probe).toMatchObject({ isModel: true });
    const options = { weights, data, out: 'x', recipe: { freeze: 'all', name: 'fine-tune' } };
    expect(isProbe(options)).toBe(true);
    expect(isProbe({ ...options, recipe: { ...options.recipe, epochs: 3 } })).toBe(false);
    expect(isProbe({ ...options, evaluateEvery: 2 })).toBe(false);
    expect(isProbe({ ...options, recipe: { freeze: 'stem' } })).toBe(false);
    expect(isProbe({ ...options, options: { inputSize: 91 } })).toBe(true);
    expect(isProbe({ ...options, options: { dropoutKeep: 0.9 } })).toBe(false);
  });

  it('is at another input size than the weights where that is asked for, and so is its model', async () => {
    const out = join(root, 'at-91');
    const lines: string[] = [];
    const asked = { ...common, engine, out, options: { inputSize: 91 } };
    const { evaluation } = await probe({ ...asked, onNotice: (line) => lines.push(line) });
    expect(lines).toContain('inputSize: 75 in the weights, 91 here');
    expect(lines).toContainEqual(expect.stringMatching(/^features: .*, 8 images at 91×91 \(classifier\)/));
    expect((await new RunFolder(out).configuration()).preprocessing.size).toEqual([91, 91]);
    const classifier = await loadClassifier(out, { engine });
    const wrong = await Promise.all(
      ['emu', 'kiwi'].flatMap((label) =>
        shades.map(async (shade) => {
          const [best] = await classifier.classify(join(data, 'val', label, `${shade}.png`));
          return Number(best?.label !== label);
        }),
      ),
    );
    expect(wrong.reduce((sum, each) => sum + each, 0) / wrong.length).toBe(evaluation?.top1Error);
    await classifier.close();
  });

  it('is not made where steps are asked for, and the options that ask for them are named', async () => {
    const notes: string[] = [];
    const run = train({
      ...{ weights, data, engine, precision: 'float32', out: join(root, 'by-steps') },
      recipe: { freeze: 'all', epochs: 1, batch: 8 },
    });
    for await (const event of run) {
      if (event.kind === 'note') notes.push(event.message);
      if (event.kind === 'start') run.stop();
    }
    expect(notes).toContain(
      "freeze 'all' leaves the classifier alone to train: by steps, because of epochs, batch; without, it is solved on features that are computed once, as by 'inception probe'",
    );
  });

  it('is measured before a fine-tuning that is ten times as long, and recorded', async () => {
    const recipe = { epochs: 7, batch: 8 };
    const notes: string[] = [];
    const begin = async (out: string, changes: object) => {
      const run = train({
        weights,
        data,
        engine,
        precision: 'float32',
        out: join(root, out),
        recipe,
        ...changes,
      });
      for await (const event of run) {
        if (event.kind === 'start') run.stop();
        if (event.kind === 'note') notes.push(event.message);
      }
      return (await new RunFolder(run.folder).configuration()).probe;
    };
    expect(await begin('before', {})).toMatchObject({ isModel: false, parts: [{ features: 'classifier' }] });
    expect(notes).toContainEqual(
      expect.stringMatching(/^before the training: nearest neighbours: validation error/),
    );
    // As large as the training's images are, whatever the weights' own size is.
    expect(await begin('larger', { options: { inputSize: 91 } })).toMatchObject({ isModel: false });
    expect(notes).toContainEqual(expect.stringMatching(/^features: .*, 8 images at 91×91 \(classifier\)/));
    expect(await begin('without', { probe: false })).toBeUndefined();
    expect(await begin('short', { recipe: { ...recipe, epochs: 1 } })).toBeUndefined();
    expect(notes).toContain(
      "no probe before this training: it would take about 67% of its time; 'inception probe' makes one",
    );
    expect(await begin('timed', { recipe: { batch: 8 }, timeSeconds: 600 })).toBeUndefined();
    expect(notes).toContain(
      "no probe before this training: its time is that of the training alone; 'inception probe' makes one",
    );
  });

  it('leaves nothing behind where it is refused', async () => {
    const out = join(root, 'refused');
    await expect(probe({ ...common, engine, out, features: 'mixed_6a' })).rejects.toThrow(
      "has no part 'mixed_6a'",
    );
    expect(await new RunFolder(out).exists()).toBe(false);
  });
});
