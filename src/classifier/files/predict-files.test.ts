import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodePng } from '../../data/decode.ts';
import { standardPreprocessing } from '../../images/preprocess.ts';
import type { RunningModel } from '../open-models.ts';
import { predictFiles } from './predict-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'predict-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Says `bright` by the first byte of an image. */
function brightness(): { model: RunningModel; images: () => number } {
  let images = 0;
  const predict = async (bytes: Uint8Array) => {
    images += bytes.length / 3;
    return Float32Array.from({ length: (2 * bytes.length) / 3 }, (_, at) => {
      const bright = (bytes[3 * (at >> 1)] as number) / 255;
      return at % 2 === 0 ? 1 - bright : bright;
    });
  };
  const model: RunningModel = {
    description: { classes: ['dark', 'bright'], preprocessing: standardPreprocessing([1, 1]) },
    source: 'model',
    precision: 'float32',
    predictor: { batch: 2, classes: 2, predict, outputs: predict },
    runtime: { name: 'libtorch', version: '2', precision: 'float32', device: 'cpu', reason: 'installed' },
    release: async () => {},
  };
  return { model, images: () => images };
}

async function image(name: string, value: number): Promise<{ file: string }> {
  const file = join(folder, name);
  const data = Uint8Array.of(value, value, value);
  writeFileSync(file, await encodePng({ height: 1, width: 1, channels: 3, data }));
  return { file };
}

const rowsIn = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(0, 2).join(' '));

describe('predictFiles', () => {
  it('writes a row for each image, and names those that cannot be decoded', async () => {
    const output = join(folder, 'p.csv');
    const images = [await image('a.png', 255), { file: join(folder, 'none.png') }, await image('c.png', 0)];
    const told: string[] = [];
    const result = await predictFiles(
      brightness().model,
      [...images, { file: 'x*', error: 'x*: no file matches' }],
      {
        output,
        onBroken: (_, reason) => told.push(reason),
      },
    );
    expect(rowsIn(output)).toEqual([`${images[0]?.file} bright`, `${images[2]?.file} dark`]);
    expect(told).toEqual(['x*: no file matches', `${images[1]?.file}: no such file`]);
    expect(result).toMatchObject({ known: 0, predicted: 2, complete: true });
    expect(result.broken).toHaveLength(2);
  });

  it('continues where it stopped', async () => {
    const output = join(folder, 'p.csv');
    const files = [await image('a.png', 255), await image('b.png', 255), await image('c.png', 0)];
    const stop = new AbortController();
    const { model, images } = brightness();
    const first = await predictFiles(model, files, {
      output,
      signal: stop.signal,
      onImage: ({ done }) => {
        if (done === 1) stop.abort();
      },
    });
    expect(first.complete).toBe(false);
    const before = images();
    const second = await predictFiles(model, files, { output, resume: true });
    expect(second).toMatchObject({ known: first.predicted, predicted: 3 - first.predicted, complete: true });
    expect(images()).toBeLessThan(before + 4);
    expect(rowsIn(output)).toEqual(files.map(({ file }, at) => `${file} ${at < 2 ? 'bright' : 'dark'}`));
  });

  it('does not continue with other labels', async () => {
    const output = join(folder, 'p.csv');
    const files = [await image('a.png', 255)];
    const { model } = brightness();
    await predictFiles(model, files, { output });
    const description = { ...model.description, classes: ['night', 'day'] };
    await expect(predictFiles({ ...model, description }, files, { output, resume: true })).rejects.toThrow(
      'its rows are of another model or other options',
    );
  });

  it('does not continue where the model was replaced under its name, or its outputs are said to be something else', async () => {
    const output = join(folder, 'p.csv');
    const files = [await image('a.png', 255)];
    const source = join(folder, 'model.onnx');
    writeFileSync(source, 'one');
    const model = { ...brightness().model, source };
    await predictFiles(model, files, { output });
    const refused = 'its rows are of another model or other options';
    await expect(
      predictFiles({ ...model, probabilities: true }, files, { output, resume: true }),
    ).rejects.toThrow(refused);
    expect(await predictFiles(model, files, { output, resume: true })).toMatchObject({ known: 1 });
    writeFileSync(source, 'another');
    await expect(predictFiles(model, files, { output, resume: true })).rejects.toThrow(refused);
  });

  it('predicts an image once that is named twice', async () => {
    const output = join(folder, 'p.csv');
    const file = await image('a.png', 255);
    expect(await predictFiles(brightness().model, [file, file], { output })).toMatchObject({ predicted: 1 });
  });

  it('ends with nothing but the names of images that cannot be decoded', async () => {
    const output = join(folder, 'p.csv');
    const images = ['a.png', 'b.png', 'c.png'].map((name) => ({ file: join(folder, name) }));
    const { broken, predicted } = await predictFiles(brightness().model, images, { output });
    expect({ broken: broken.length, predicted }).toEqual({ broken: 3, predicted: 0 });
  });
});
