/** What a model file says of its network is held to its tensors before anything is built from it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportWeights } from '../ecosystems/export/export-weights.ts';
import { openImport } from '../ecosystems/import/import-weights.ts';
import { elementCount } from '../graph/graph.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { graphOf } from '../model/description.ts';
import { encodeSafetensors } from '../weights/safetensors/safetensors.ts';
import { openModel } from './open-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-open-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const description = {
  network: 'inception-v4',
  options: { inputSize: 75, classes: 2 },
  classes: ['a', 'b'],
  preprocessing: standardPreprocessing([75, 75]),
};

/** A model file of one tensor that says this of its network. */
function modelFile(changes: object): string {
  const path = join(folder, 'model.safetensors');
  const tensor = { name: 't', dtype: 'F32', shape: [1], data: new Float32Array(1) };
  writeFileSync(path, encodeSafetensors([tensor], { model: JSON.stringify({ ...description, ...changes }) }));
  return path;
}

const preprocessing = (changes: object) => ({ preprocessing: { ...description.preprocessing, ...changes } });

describe('a model file', () => {
  it.each<[string, object, string]>([
    ['a billion blocks', { options: { blocks: { A: 1e9 } } }, 'options.blocks: expected counts of 1 to 1000'],
    [
      'more blocks than tensors',
      { options: { blocks: { A: 9 } } },
      'a network of 9 blocks and more layers, the file has 1 tensors',
    ],
    [
      'a billion pixels',
      { options: { inputSize: 1e9 } },
      'options.inputSize: expected a whole number of pixels of at most 4096',
    ],
    [
      'a billion classes',
      { options: { classes: 1e9 } },
      'options.classes: expected a whole number of at most 1000000',
    ],
    ['labels for other classes', { options: { classes: 3 } }, '2 labels for 3 classes'],
    [
      'another size than its input',
      preprocessing({ size: [2000, 2000] }),
      "preprocessing.size is 2000×2000, the network's input is 75×75",
    ],
    ['a giant size', preprocessing({ size: [20_000, 20_000] }), 'expected number to be <=4096'],
    ['half a pixel', preprocessing({ size: [75.5, 75] }), 'preprocessing.size.0'],
    [
      'a standard deviation of 0',
      preprocessing({ std: [0.5, 0, 0.5] }),
      'preprocessing.std.1: expected a standard deviation above 0',
    ],
    ['an endless mean', preprocessing({ mean: [0, 0, 1e300] }), 'preprocessing.mean.2'],
    ['a crop of almost nothing', preprocessing({ crop: 1e-9 }), 'preprocessing.crop'],
  ])('that says %s is refused before its network is built', async (_, changes, message) => {
    await expect(openModel(modelFile(changes))).rejects.toThrow(message);
  });

  it('that is a Git LFS pointer is called so', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4'.repeat(64)}\nsize 95533400\n`;
    for (const ending of ['safetensors', 'pth', 'h5', 'bin', 'index']) {
      writeFileSync(join(folder, `pointer.${ending}`), pointer);
      await expect(openModel(join(folder, `pointer.${ending}`))).rejects.toThrow(
        `pointer.${ending}: it is a Git LFS pointer, not the file itself; download the file with 'git lfs pull'`,
      );
    }
  });
});

describe("a folder in timm's form", () => {
  const small = 'inception-resnet-v2-released';
  const classes = ['cat', 'dog'];
  const model = {
    network: small,
    options: { classes: 2, inputSize: 75 },
    classes,
    preprocessing: standardPreprocessing([75, 75], { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] }),
  };
  const exported = join(folder, 'timm');

  it('is a MODEL, with its labels and preprocessing', async () => {
    await exportWeights(
      {
        description: model,
        graph: graphOf(model),
        source: 'model',
        read: async ({ shape }) => new Float32Array(elementCount(shape)),
        close: async () => undefined,
      },
      { to: 'timm', output: `${exported}/` },
    );
    const notices: string[] = [];
    const notice = { onNotice: (line: string) => notices.push(line) };
    const expected = {
      network: small,
      classes,
      preprocessing: { size: [75, 75], mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
    };
    for (const path of [exported, join(exported, 'model.safetensors')]) {
      const opened = await openModel(path, notice);
      expect(opened.description).toMatchObject(expected);
      expect(opened.source).toBe(path);
      await opened.close();
    }
    expect(notices).toEqual([
      `${join(exported, 'model.safetensors')}: labels and preprocessing from ${join(exported, 'config.json')}`,
    ]);
  });

  it('beside whose file the config.json of another program stands is said to have one', async () => {
    const config = join(exported, 'config.json');
    for (const text of ['{"architecture":"vit"}', '{"model_type":"bert"}', '[', 'null']) {
      writeFileSync(config, text);
      const plan = await openImport(join(exported, 'model.safetensors'));
      expect(plan.decisions[0]).toBe(`${config} says no network that is known here and was not used`);
      await plan.close();
    }
    writeFileSync(config, '{"architecture":"vit"}');
    await expect(openModel(exported)).rejects.toThrow("unknown architecture 'vit'");
    writeFileSync(config, '{"architecture":"inception_resnet_v2","std":[0,0,0]}');
    await expect(openModel(join(exported, 'model.safetensors'))).rejects.toThrow(
      'std.0: expected a standard deviation',
    );
  });
});

it('a model of this package is not imported again', async () => {
  const path = modelFile({});
  await expect(openImport(path)).rejects.toThrow(`${path}: it is a model of this package already`);
  writeFileSync(join(folder, 'config.json'), '{}');
  await expect(openImport(folder)).rejects.toThrow(`${folder}: it is a model of this package already`);
});
