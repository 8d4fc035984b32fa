/** `embed`, `similar`, `data check --model` and `train --freeze all` of the built command, and the library calls of the first two. Needs a build. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../src/api/onnx.ts';
import { dataCheckText } from '../src/cli/output/data-check-text.ts';
import { decodeImage } from '../src/data/decode.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { encodePng, loadEmbedder, openModel, openSafetensors, writeModel } from '../src/index.ts';
import { sampleModel } from './sample-model.ts';

const command = fileURLToPath(new URL('../bin/inception', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'inception-images-'));
const [photos, weights, onnx] = ['photos', 'model.safetensors', 'model.onnx'].map((name) =>
  join(root, name),
) as [string, string, string];

function inception(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(root, 'cache'), NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}

const dark = (index: number) => 8 * index;
const bright = (index: number) => 255 - 8 * index;

beforeAll(async () => {
  const model = sampleModel('inception-v3', { width: 0.125, classes: 2 }, { classes: ['day', 'night'] });
  const description = { ...model.description, data: photos, validation: 0 };
  await writeModel(weights, { ...model, description, parameters: parametersOf(model.graph) });
  const opened = await openModel(weights);
  await exportOnnx(opened, { output: onnx, features: true });
  await opened.close();
  const write = async (name: string, level: number) =>
    writeFileSync(
      join(photos, name),
      // No two alike: what looks alike is held out together.
      await encodePng({
        height: 75,
        width: 75,
        channels: 1,
        data: Uint8Array.from({ length: 75 * 75 }, (_, at) => (at % (level + 2) === 0 ? 128 : level)),
      }),
    );
  for (const folder of ['day', 'night']) mkdirSync(join(photos, folder), { recursive: true });
  for (let index = 0; index < 8; index++) {
    await write(`day/${index}.png`, bright(index));
    await write(`night/${index}.png`, dark(index));
  }
  await write('day/wrong.png', 12);
});
afterAll(() => rmSync(root, { recursive: true }));

describe('inception data check --model', () => {
  it('cross-validates the labels of images that the model was trained on, and finds a wrong one', () => {
    const { status, stdout, stderr } = inception('data', 'check', photos, '--model', weights, '--json');
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const check = JSON.parse(stdout);
    const { labels } = check;
    expect(labels).toMatchObject({
      model: weights,
      trainedOn: 17,
      crossValidated: { features: weights, folds: 5, notJudged: 0 },
    });
    expect(labels.images.map(({ file }: { file: string }) => relative(photos, file))).toEqual([
      'day/wrong.png',
    ]);
    expect(labels.images[0]).toMatchObject({ class: 'day', predicted: 'night' });
    const text = dataCheckText(check);
    expect(text).toContain(
      `labels: cross-validated in 5 folds, a classifier on the features of ${weights} that has not seen the image is sure of another label for 1 image (error`,
    );
    expect(text).toMatch(/\n {2}day\/wrong\.png: day, judged to be night \d+\.\d\d%(\n|$)/);
  });
});

describe('inception embed', () => {
  it('writes a row for each image, names what cannot be decoded, and takes the rows from the cache again', async () => {
    const broken = join(root, 'broken.png');
    writeFileSync(broken, 'no image');
    const output = join(root, 'e.npy');
    const first = inception(
      'embed',
      weights,
      join(photos, 'night'),
      broken,
      '-o',
      output,
      '--precision',
      'float32',
    );
    expect(first.status).toBe(1);
    expect(first.stderr).toContain(`warning: ${broken}: cannot be decoded`);
    expect(first.stderr).toContain(`${output}: 8 images, 256 values each; 1 could not be decoded\n`);
    const { files, model } = JSON.parse(readFileSync(`${output}.json`, 'utf8'));
    expect([files.length, model]).toEqual([8, weights]);
    await using embedder = await loadEmbedder(weights, {
      features: 'classifier',
      precision: 'float32',
      cache: join(root, 'cache', 'inception-networks', 'features'),
    });
    const embedded = await embedder.embedFiles([join(photos, 'night')]);
    expect(embedded).toMatchObject({ files, length: 256, cached: 8, computed: 0, broken: [] });
    const bytes = readFileSync(output);
    expect(new Float32Array(bytes.buffer.slice(bytes.byteOffset + 128))).toEqual(embedded.values);
  });

  it('of an .onnx file with features gives what the weights give', async () => {
    const output = join(root, 'e.safetensors');
    const { status, stderr } = inception('embed', onnx, join(photos, 'day'), '-o', output);
    expect({ status, stderr }).toEqual({ status: 0, stderr: `${output}: 9 images, 256 values each\n` });
    const file = await openSafetensors(output);
    const { data } = await file.read('embeddings');
    await file.close();
    await using embedder = await loadEmbedder(weights, { precision: 'float32', cache: false });
    const { values } = await embedder.embedFiles([join(photos, 'day')]);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    values.forEach((value, at) => {
      expect(Math.abs(value - Number(data[at]))).toBeLessThan(1e-5 * largest);
    });
  });

  it('refuses an .onnx file without features, and parts of one, and says what to do', async () => {
    const bare = join(root, 'bare.onnx');
    const model = await openModel(weights);
    await exportOnnx(model, { output: bare });
    await model.close();
    await expect(loadEmbedder(bare)).rejects.toThrow(
      `${bare}: has no output 'features' of this package with what its classifier reads; 'inception export MODEL -o ${bare} --features' writes one`,
    );
    await expect(loadEmbedder(onnx, { features: 'stem' })).rejects.toThrow(
      "features: an .onnx file has the features before its classifier only; expected classifier, or a model with weights; received 'stem'",
    );
    await expect(loadEmbedder(weights, { features: 'roof' })).rejects.toThrow("has no part 'roof'");
  });
});

describe('inception similar', () => {
  it('prints the images that look most like one, without that one', () => {
    const image = join(photos, 'day', 'wrong.png');
    const { status, stdout, stderr } = inception(
      'similar',
      onnx,
      image,
      '--in',
      photos,
      '--top',
      '3',
      '--json',
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found: { file: string; similarity: number }[] = JSON.parse(stdout);
    expect(found.map(({ file }) => relative(photos, file).split('/')[0])).toEqual([
      'night',
      'night',
      'night',
    ]);
    expect(found.map(({ similarity }) => similarity)).toEqual(
      found.map(({ similarity }) => similarity).toSorted((a, b) => b - a),
    );
  });

  it('ends with the reason for an image that cannot be decoded, or for nothing to compare with', () => {
    const broken = join(root, 'broken.png');
    const image = join(photos, 'day', '1.png');
    const first = inception('similar', onnx, broken, '--in', photos);
    expect([first.status, first.stderr]).toEqual([
      1,
      expect.stringContaining(`${broken}: cannot be decoded`),
    ]);
    expect(first.stderr.split('\n').length).toBe(2);
    const second = inception('similar', onnx, image, '--in', image);
    expect([second.status, second.stderr]).toEqual([
      1,
      expect.stringContaining(`${image}: no images to compare with ${image}`),
    ]);
  });
});

describe('inception strongest', () => {
  it('prints the images in which a channel has the largest mean, as embed has it, and draws them', async () => {
    const output = join(root, 'strongest.png');
    const command = ['strongest', weights, '--features', 'reductionA', '--channel', '3', '--in', photos];
    const { status, stdout, stderr } = inception(...command, '--top', '4', '--json', '-o', output);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found: { file: string; mean: number }[] = JSON.parse(stdout);
    await using embedder = await loadEmbedder(weights, { features: 'reductionA', cache: false });
    const { files, values, length } = await embedder.embedFiles([photos]);
    const means = files.map((_, row) => values[row * length + 3] as number);
    expect(found.map(({ mean }) => mean)).toEqual(means.toSorted((a, b) => b - a).slice(0, 4));
    for (const { file, mean } of found) expect(means[files.indexOf(file)]).toBe(mean);
    // Two rows of two images.
    expect(await decodeImage(output)).toMatchObject({ width: 390, height: 458 });
    const wrong = inception('strongest', weights, '--channel', '100000', '--in', photos);
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/--channel: expected 0 to \d+, the channels of 'classifier', received 100000/),
    ]);
  });
});

describe('inception train --freeze all', () => {
  const asked = ['train', '--weights', weights, '--data', photos, '--freeze', 'all'];

  it('is a probe, at the input size that it is given', () => {
    const run = join(root, 'probe');
    const { status, stderr } = inception(...asked, '--input-size', '91', '-o', run);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toMatch(
      /freeze 'all' leaves the classifier alone to train: it is solved on fixed features/,
    );
    expect(stderr).toMatch(/features: .* images at 91×91 \(classifier\): /);
    expect(stderr).toMatch(/probe: validation error /);
    const configuration = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    expect(configuration).toMatchObject({ probe: { isModel: true }, preprocessing: { size: [91, 91] } });
  });

  it('names the options that make it a training by steps', () => {
    const run = join(root, 'by-steps');
    const { stderr } = inception(...asked, '--epochs', '1', '--batch', '4', '--no-probe', '-o', run);
    expect(stderr).toContain(
      "freeze 'all' leaves the classifier alone to train: by steps, because of epochs, batch; without, it is solved on features that are computed once, as by 'inception probe'",
    );
  });
});
