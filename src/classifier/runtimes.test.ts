/** The same weights by either runtime. The numbers of ONNX Runtime are those of another implementation than libtorch's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import { parametersOf } from '../graph/graph.ts';
import type { Image } from '../images/image.ts';
import { writeModel } from '../model/write-model.ts';
import { exportOnnx } from '../onnx/write/export-onnx.ts';
import type { Classification } from './classification.ts';
import { loadClassifier } from './classifier.ts';
import { describeRuntime } from './runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-runtimes-'));
const weights = join(folder, 'model.safetensors');
const headless = join(folder, 'headless.safetensors');
const file = join(folder, 'model.onnx');
const labels = ['shirt', 'shoe', 'bag', 'coat', 'dress', 'sandal', 'boot'];

const image = (seed: number): Image => ({
  height: 90,
  width: 120,
  channels: 3,
  data: Uint8Array.from({ length: 90 * 120 * 3 }, (_, offset) => (offset * seed * 31) % 251),
});
const images = [1, 2, 3].map(image);

beforeAll(async () => {
  const model = sampleModel('inception-resnet-v2', {}, { classes: labels });
  await writeModel(weights, { ...model, parameters: parametersOf(model.graph) });
  await exportOnnx(model, { output: file });
  const without = sampleModel('inception-v4', { classes: 0 });
  await writeModel(headless, { ...without, parameters: parametersOf(without.graph) });
});
afterAll(() => rmSync(folder, { recursive: true }));

const float32 = { precision: 'float32', runtime: 'libtorch' } as const;
const byOnnx = { runtime: 'ONNX Runtime' } as const;

const near = (ours: readonly Classification[], theirs: readonly Classification[]) => {
  expect(ours.map(({ label }) => label)).toEqual(theirs.map(({ label }) => label));
  for (const [index, { probability }] of ours.entries())
    expect(probability).toBeCloseTo(theirs[index]?.probability as number, 5);
};

describe('a file of weights', () => {
  it('gives the same labels by libtorch, by ONNX Runtime and as an .onnx file, alone and with others', async () => {
    const [torch, onnx, exported] = await Promise.all([
      loadClassifier(weights, float32),
      loadClassifier(weights, byOnnx),
      loadClassifier(file),
    ]);
    const expected = await exported.classify(images);
    for (const classifier of [torch, onnx]) {
      const together = await classifier.classify(images);
      for (const [index, each] of images.entries()) {
        near(together[index] as readonly Classification[], expected[index] as readonly Classification[]);
        near(await classifier.classify(each), expected[index] as readonly Classification[]);
      }
    }
    expect(torch).toMatchObject({
      classes: labels,
      source: weights,
      runtime: { name: 'libtorch', precision: 'float32', reason: 'asked for' },
    });
    expect(onnx).toMatchObject({
      classes: labels,
      source: weights,
      runtime: { name: 'ONNX Runtime', precision: 'float32', device: 'cpu', reason: 'asked for' },
    });
    await Promise.all([torch, onnx, exported].map((each) => each.close()));
  });

  it('is computed by libtorch where nothing is asked for, which needs no notice', async () => {
    const said: string[] = [];
    const classifier = await loadClassifier(weights, { onNotice: (line) => said.push(line) });
    expect(classifier.runtime).toMatchObject({ name: 'libtorch', reason: 'installed' });
    expect(describeRuntime(classifier.runtime)).toMatch(
      /^libtorch [\d.]+\S*, (float32|bfloat16) \(installed\)$/,
    );
    expect(said).toEqual([]);
    await classifier[Symbol.asyncDispose]();
  });

  it('shares an engine, which stays open', async () => {
    const engine = openTorch({ device: 'cpu' });
    const classifier = await loadClassifier(weights, { engine, precision: 'float32' });
    await classifier.close();
    const again = await loadClassifier(weights, { engine, precision: 'float32' });
    expect(await again.classify(image(1), { top: 2 })).toHaveLength(2);
    await again.close();
    await engine.close();
  });

  it.each([float32, byOnnx])('is told other labels, and how to cut images: %o', async (options) => {
    const classes = labels.map((label) => label.toUpperCase());
    const classifier = await loadClassifier(weights, { ...options, classes, preprocessing: { crop: 0.5 } });
    const plain = await loadClassifier(weights, options);
    expect(classifier.preprocessing).toEqual({ ...plain.preprocessing, crop: 0.5 });
    const [[cut], [whole]] = [await classifier.classify(image(1)), await plain.classify(image(1))];
    expect(classes).toContain(cut?.label);
    expect(cut?.probability).not.toBe(whole?.probability);
    await classifier.close();
    await plain.close();
    await expect(loadClassifier(weights, { ...options, classes: ['one'] })).rejects.toThrow(
      /model\.safetensors: expected 7 labels, one per output, received 1/,
    );
    await expect(loadClassifier(weights, { ...options, preprocessing: { size: [99, 75] } })).rejects.toThrow(
      /preprocessing\.size: .*model\.safetensors needs images of 75×75, received 99×75/,
    );
  });

  it.each([float32, byOnnx])('of a network without a classifier gives its features: %o', async (options) => {
    const classifier = await loadClassifier(headless, options);
    expect(await classifier.predictor.outputs(new Uint8Array(2 * 75 * 75 * 3))).toHaveLength(2 * 384);
    await expect(classifier.classify(image(1))).rejects.toThrow(
      /headless\.safetensors: the network has no classifier and therefore no labels/,
    );
    await classifier.close();
  });
});

describe('options that no runtime can follow', () => {
  it.each<[model: string, options: Parameters<typeof loadClassifier>[1], says: RegExp]>([
    [file, { runtime: 'libtorch' }, /runtime: .*model\.onnx is an ONNX file, which only ONNX Runtime runs/],
    [file, { precision: 'bfloat16' }, /precision: the precision of an \.onnx file is fixed by its export/],
    [file, { device: 'cuda' }, /device: an \.onnx file runs on the CPU; received 'cuda'/],
    [weights, { ...byOnnx, precision: 'bfloat16' }, /precision: weights run in float32 on ONNX Runtime/],
    [weights, { ...byOnnx, device: 'cuda' }, /device: ONNX Runtime runs on the CPU here; received 'cuda'/],
    [
      weights,
      { ...byOnnx, probabilities: true },
      /probabilities: .*model\.safetensors is not an \.onnx file/,
    ],
  ])('are refused as wrong usage: %s %o', async (model, options, says) => {
    const loading = loadClassifier(model, options);
    await expect(loading).rejects.toThrow(UsageError);
    await expect(loading).rejects.toThrow(says);
  });
});
