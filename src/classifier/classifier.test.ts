import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { DataError } from '../data/data-error.ts';
import { decodeImage, encodePng } from '../data/decode.ts';
import { UsageError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { ModelError } from '../model/description.ts';
import type { OnnxGraph } from '../onnx/onnx-graph.ts';
import { encodeModel } from '../onnx/write/encode-model.ts';
import { exportOnnx } from '../onnx/write/export-onnx.ts';
import { onnxGraphOf } from '../onnx/write/onnx-graph-of.ts';
import { type Classifier, loadClassifier } from './classifier.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-classifier-'));
const file = join(folder, 'model.onnx');
const labels = ['shirt', 'shoe', 'bag', 'coat', 'dress', 'sandal', 'boot'];

const image = (seed: number): Image => ({
  height: 90,
  width: 120,
  channels: 3,
  data: Uint8Array.from({ length: 90 * 120 * 3 }, (_, at) => (at * seed * 31) % 251),
});

let classifier: Classifier;
beforeAll(async () => {
  const model = sampleModel('inception-resnet-v2', {}, { classes: labels, data: 'fashion-mnist' });
  await exportOnnx(model, { output: file });
  classifier = await loadClassifier(file, { batch: 2 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, graph: OnnxGraph, metadata: Record<string, string> = {}) => {
  const path = join(folder, name);
  writeFileSync(path, encodeModel({ graph, metadata, producerVersion: '0' }));
  return path;
};

describe('loadClassifier', () => {
  it('gives labels with probabilities, most probable first', async () => {
    const found = await classifier.classify(image(1), { top: 7 });
    expect(found.map(({ label }) => label).sort()).toEqual([...labels].sort());
    expect(found.map(({ index }) => labels[index])).toEqual(found.map(({ label }) => label));
    const probabilities = found.map(({ probability }) => probability);
    expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
    expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(await classifier.classify(image(1))).toHaveLength(5);
    const [best] = await classifier.classify(image(1), { top: 1 });
    expect(best.label).toBe(found[0].label);
    for (const top of [0, -1, 1.5, Number.NaN])
      await expect(classifier.classify(image(1), { top })).rejects.toThrow(
        new UsageError(`top: expected a whole number of labels from 1, received ${top}`),
      );
  });

  it('knows what the file says about the model', () => {
    expect(classifier).toMatchObject({
      classes: labels,
      runtime: { name: 'ONNX Runtime', precision: 'float32', device: 'cpu', reason: 'an .onnx file' },
      source: file,
    });
    expect(classifier.description).toMatchObject({ network: 'inception-resnet-v2', data: 'fashion-mnist' });
  });

  it("takes a file's path, its bytes and decoded pixels alike", async () => {
    const path = join(folder, 'image.png');
    writeFileSync(path, await encodePng(image(2)));
    const expected = await classifier.classify(image(2));
    expect(await classifier.classify(path)).toEqual(expected);
    expect(await classifier.classify(new Uint8Array(readFileSync(path)))).toEqual(expected);
    expect(await classifier.classify(await decodeImage(path))).toEqual(expected);
  });

  it('takes several, gives them in order, and the same as one by one', async () => {
    const images = [1, 2, 3, 4, 5].map(image);
    const together = await classifier.classify(images, { top: 2 });
    for (const [index, each] of images.entries()) {
      const single = await classifier.classify(each, { top: 2 });
      expect(together[index]?.map(({ label }) => label)).toEqual(single.map(({ label }) => label));
      expect(together[index]?.[0]?.probability).toBeCloseTo(single[0]?.probability as number, 5);
    }
    expect(await classifier.classify([])).toEqual([]);
  });

  it('averages crops', async () => {
    const views = { crops: 10 } as const;
    const [best] = await classifier.classify(image(3), { views, top: 1 });
    const [[again]] = (await classifier.classify([image(3)], { views })) as [[typeof best]];
    expect(again).toEqual(best);
    expect(best?.probability).not.toBe((await classifier.classify(image(3)))[0]?.probability);
  });

  it('names an image that cannot be read or decoded', async () => {
    await expect(classifier.classify(join(folder, 'none.png'))).rejects.toThrow(/none\.png: no such file/);
    const broken = classifier.classify(Uint8Array.of(1, 2, 3));
    await expect(broken).rejects.toThrow(DataError);
    await expect(broken).rejects.toThrow(
      /the image: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF or AVIF/,
    );
  });

  it('says what is wrong with a file, and what to do', async () => {
    const graph = await onnxGraphOf(sampleModel('inception-v4'));
    const cases: [string, RegExp][] = [
      [
        join(folder, 'none.onnx'),
        /none\.onnx: no such file; 'inception export MODEL -o .*none\.onnx' writes one/,
      ],
      [
        write('foreign.onnx', graph),
        /foreign\.onnx: the file does not state how images are scaled; expected a preprocessing with 'mean' and 'std'/,
      ],
      [write('described.onnx', graph, { model: '{}' }), /described\.onnx \(metadata\): network: /],
      [
        write('ops.onnx', {
          ...graph,
          nodes: [{ op: 'Launch', name: 'x', inputs: [], outputs: ['x'], attributes: {} }],
        }),
        /ops\.onnx: it has the operator "Launch"/,
      ],
    ];
    for (const [path, message] of cases) await expect(loadClassifier(path)).rejects.toThrow(message);
  });

  it("opens other people's files when it is told what they do not say", async () => {
    const model = sampleModel('inception-v4');
    const path = write('foreign.onnx', await onnxGraphOf(model));
    const { preprocessing } = model.description;
    const told = await loadClassifier(path, { classes: labels, preprocessing });
    expect((await told.classify(image(1))).length).toBe(5);
    await expect(loadClassifier(path, { classes: ['one'], preprocessing })).rejects.toThrow(
      /expected 7 labels, one per output, received 1/,
    );
    const size = [99, 75] as const;
    await expect(
      loadClassifier(path, { classes: labels, preprocessing: { ...preprocessing, size } }),
    ).rejects.toThrow(
      /expected one input of images, float32, float16 or uint8, \[n, 3, 99, 75\] or \[n, 99, 75, 3\], received images: float32 \[n, 3, 75, 75\]/,
    );
  });

  it('refuses to name classes of a network without a classifier, and gives its features', async () => {
    const headless = join(folder, 'features.onnx');
    await exportOnnx(sampleModel('inception-resnet-v2', { classes: 0 }), {
      output: headless,
    });
    const features = await loadClassifier(headless);
    await expect(features.classify(image(1))).rejects.toThrow(ModelError);
    expect(await features.predictor.outputs(new Uint8Array(75 * 75 * 3))).toHaveLength(536);
  });
});
