/** Trainings from weights in a file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel, sampleValues } from '../../../test/sample-model.ts';
import type { Engine } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import { classifierParameters, isStatistic, parametersOf } from '../../graph/graph.ts';
import { freeze, frozenNames, partsOf } from '../../graph/parts.ts';
import { writeModel } from '../../model/write-model.ts';
import { openSafetensors } from '../../weights/safetensors/safetensors.ts';
import { WeightsError } from '../../weights/tensor-file.ts';
import { RunFolder } from '../run/run-folder.ts';
import { train } from '../start-run.ts';
import type { TrainEvent } from '../train-options.ts';
import { openStartingWeights, withoutStrangeClassifier } from './starting-weights.ts';

const root = mkdtempSync(join(tmpdir(), 'inception-starting-'));
const weights = join(root, 'weights.safetensors');
const data = join(root, 'data');
const model = sampleModel('inception-v3', { width: 0.125 });
let engine: Engine;

beforeAll(async () => {
  engine = openTorch({ device: 'cpu' });
  await writeModel(weights, { ...model, parameters: parametersOf(model.graph) });
  for (const [index, label] of ['class 5', 'emu'].entries())
    for (const split of ['train', 'val']) {
      const folder = join(data, split, label);
      await mkdir(folder, { recursive: true });
      for (const shade of [0, 100]) {
        const background = { r: shade, g: 255 * index, b: split === 'val' ? 50 : 0 };
        await sharp({ create: { width: 75, height: 75, channels: 3, background } })
          .png()
          .toFile(join(folder, `${shade}.png`));
      }
    }
  // libtorch is loaded here.
});
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

const common = { weights, data, recipe: { epochs: 1, batch: 2 }, precision: 'float32' } as const;

describe('a training from weights', () => {
  it('begins with a checkpoint of the values in the file and of new rows of the classifier', async () => {
    const out = join(root, 'run');
    const run = train({ ...common, engine, out });
    const events: TrainEvent[] = [];
    for await (const event of run) {
      events.push(event);
      if (event.kind === 'start') run.stop();
    }
    const { configuration } = events.find((event) => event.kind === 'start') as TrainEvent & {
      kind: 'start';
    };
    expect(configuration).toMatchObject({
      network: 'inception-v3',
      classes: ['class 5', 'emu'],
      recipe: { name: 'fine-tune', evaluationCrop: 0.875 },
      weights: { source: weights, kept: ['class 5'], reinitialised: ['emu'], auxiliary: 'none' },
    });
    const begin = await openSafetensors(new RunFolder(out).checkpoint(0));
    const classifier = new Set(classifierParameters(model.graph).map(({ name }) => name));
    for (const parameter of parametersOf(model.graph)) {
      const expected = sampleValues(parameter);
      const names = isStatistic(parameter) ? [''] : ['', 'averages/'];
      for (const prefix of names) {
        const values = (await begin.read(prefix + parameter.name)).data as Float32Array;
        if (!classifier.has(parameter.name)) expect(values, parameter.name).toEqual(expected);
        else {
          const row = expected.length / 7;
          expect(values.subarray(0, row)).toEqual(expected.subarray(5 * row, 6 * row));
          expect(values.length).toBe(2 * row);
        }
      }
    }
    await begin.close();
    expect((await new RunFolder(out).configuration()).weights).toEqual(configuration.weights);
  });

  it('keeps what is frozen bit for bit, with neither averages nor optimiser state', async () => {
    const out = join(root, 'frozen');
    const recipe = { ...common.recipe, freeze: 'inceptionB', layerDecay: 0.8 };
    const { finished, position } = await train({ ...common, recipe, engine, out }).result;
    expect(finished).toBe(true);
    const folder = new RunFolder(out);
    const trained = await openSafetensors(folder.file('model.safetensors'));
    const frozen = frozenNames(freeze(model.graph, 'inceptionB'));
    for (const parameter of parametersOf(model.graph).filter(({ name }) => frozen.has(name)))
      expect((await trained.read(parameter.name)).data, parameter.name).toEqual(sampleValues(parameter));
    const [after] = partsOf(model.graph).filter(({ key }) => key === 'reductionB');
    for (const parameter of after?.parameters ?? [])
      expect((await trained.read(parameter.name)).data, parameter.name).not.toEqual(sampleValues(parameter));
    await trained.close();
    const checkpoint = await openSafetensors(folder.checkpoint(position.step));
    const held = [...checkpoint.tensors.keys()];
    expect(held.filter((name) => name.includes('stem/conv1/weight'))).toEqual(['stem/conv1/weight']);
    expect(held.filter((name) => name.includes('logits/weight')).length).toBeGreaterThan(2);
    await checkpoint.close();
  });

  it.each([
    [
      { freeze: 'inceptionD' },
      "freeze: inception-v3 has no part 'inceptionD'; expected one of stem, inceptionA/0,",
    ],
    [{ freeze: 'all', layerDecay: 0.8 }, "'layerDecay': has no effect with freeze 'all'"],
    [{ freeze: 'Logits', layerDecay: 1 }, "'layerDecay': expected a number above 0 and below 1, or null"],
  ])('refuses %o', async (overrides, message) => {
    const recipe = { ...common.recipe, ...overrides };
    const out = join(root, 'refused');
    await expect(train({ ...common, recipe, engine, out }).result).rejects.toThrow(message);
  });

  it('refuses to freeze the auxiliary head’s part with the head, and random weights', async () => {
    const out = join(root, 'refused');
    const recipe = { ...common.recipe, freeze: 'inceptionB' };
    await expect(
      train({ ...common, recipe, options: { auxiliary: true }, engine, out }).result,
    ).rejects.toThrow("the auxiliary head reads 'inceptionB', which 'inceptionB' freezes");
    const { weights: _, ...random } = common;
    await expect(train({ ...random, network: 'inception-v3', recipe, engine, out }).result).rejects.toThrow(
      "'freeze': what is frozen would keep its random initial weights; expected weights",
    );
  });

  it('writes nothing where the weights cannot be used', async () => {
    const out = join(root, 'refused');
    await expect(train({ ...common, engine, network: 'inception-v4', out }).result).rejects.toThrow(
      `${weights} holds the weights of inception-v3, not of inception-v4`,
    );
    await expect(train({ ...common, engine, weights: join(root, 'none'), out }).result).rejects.toThrow(
      'no such run folder or file',
    );
    expect(await new RunFolder(out).exists()).toBe(false);
  });
});

describe('openStartingWeights', () => {
  it('hashes the values, whatever file they come in', async () => {
    const [file, memory] = [await openStartingWeights(weights), await openStartingWeights(model)];
    await file.model.close();
    expect(file.sha256).toBe(memory.sha256);
  });
});

describe('a classifier that no network here has', () => {
  const several = `x.pth: its classifier has several linear layers: 'fc.0', 'fc.3'; the networks here have one: --reset-classifier N leaves them out`;
  const lines: string[] = [];

  it('is left out, and said to be', async () => {
    const open = async ({ resetClassifier }: { resetClassifier?: number }) => {
      if (resetClassifier === undefined) throw new WeightsError(several);
      return model;
    };
    const opened = await withoutStrangeClassifier(open, (line) => lines.push(line));
    expect(opened.description.classes).toEqual([]);
    expect(lines).toEqual([
      "x.pth: its classifier has several linear layers: 'fc.0', 'fc.3'; the networks here have one: it is left out",
    ]);
  });

  it('is not what is wrong with a file that cannot be opened without it either', () =>
    expect(
      withoutStrangeClassifier(
        () => Promise.reject(new WeightsError('x.pth: empty')),
        (line) => lines.push(line),
      ),
    ).rejects.toThrow('x.pth: empty'));
});
