/** What a model file says of its network is held to its tensors before anything is built from it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { standardPreprocessing } from '../images/preprocess.ts';
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
      preprocessing({ size: [20_000, 20_000] }),
      "preprocessing.size is 20000×20000, the network's input is 75×75",
    ],
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
