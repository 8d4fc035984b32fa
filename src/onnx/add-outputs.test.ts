/** Values inside an exported file, by ONNX Runtime, against the same parts computed by libtorch. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { syntheticImages } from '../images/synthetic-images.ts';
import { openTorch } from '../index.ts';
import { loadModel } from '../predict/load-model.ts';
import { addOutputs } from './add-outputs.ts';
import { exportOnnx } from './write/export-onnx.ts';

it('makes parts and weights inside a file outputs of it', async () => {
  const engine = openTorch({ device: 'cpu', threads: 1 });
  const folder = await mkdtemp(join(tmpdir(), 'inception-outputs-'));
  try {
    const source = sampleModel('inception-v4', { width: 0.125, blocks: { A: 1, B: 1, C: 1 } });
    const output = join(folder, 'model.onnx');
    await exportOnnx(source, { output, input: 'uint8' });
    const names = ['stem/conv2', 'inceptionB/0', 'stem/conv1/weight'];
    const session = await ort.InferenceSession.create(addOutputs(await readFile(output), names));
    const images = syntheticImages(source.description.preprocessing, 1);
    const [height, width] = source.description.preprocessing.size;
    const results = await session.run({ images: new ort.Tensor('uint8', images, [1, height, width, 3]) });
    const loaded = await loadModel(source, { engine, precision: 'float32' });
    const expected = await loaded.features(images, { endpoints: names.slice(0, 2) });
    for (const name of names.slice(0, 2)) {
      expect(results[name]?.dims).toEqual(expected[name]?.shape);
      const [inFile, byTorch] = [results[name]?.data, expected[name]?.data] as [Float32Array, Float32Array];
      inFile.forEach((value, at) => {
        expect(Math.abs(value - (byTorch[at] as number))).toBeLessThan(1e-4);
      });
    }
    expect(results['stem/conv1/weight']?.dims).toEqual([8, 3, 3, 3]);
    loaded.release();
    await session.release();
  } finally {
    await engine.close();
    await rm(folder, { recursive: true });
  }
});
