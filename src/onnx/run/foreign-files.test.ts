/** Files that PyTorch's own exporters wrote, with what PyTorch says of the same image (test/fixtures/pytorch-onnx/write.py). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadClassifier } from '../../classifier/classifier.ts';
import { preprocessingPresets } from '../../images/preprocess.ts';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../test/fixtures/pytorch-onnx/${name}`, import.meta.url));
const { logits } = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as { logits: number[] };
const bytes = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 31) % 251);
const preprocessing = preprocessingPresets.imagenet;

const expectLogits = (values: Float32Array | undefined) => {
  for (const [at, value] of logits.entries()) expect(values?.[at]).toBeCloseTo(value, 3);
};

describe("a file of PyTorch's", () => {
  it.each(['torchscript.onnx', 'dynamo.onnx'])(
    'gives PyTorch’s own logits, at its own size: %s',
    async (name) => {
      const classifier = await loadClassifier(fixture(name), { preprocessing });
      expect(classifier.preprocessing).toEqual({ ...preprocessing, size: [64, 64] });
      expectLogits(await classifier.predictor.outputs(bytes));
      expect(classifier.classes).toEqual(logits.map((_, index) => `class ${index}`));
      const image = { height: 64, width: 64, channels: 3, data: bytes } as const;
      const whole = await loadClassifier(fixture(name), { preprocessing: { ...preprocessing, crop: 1 } });
      const [best] = await whole.classify(image);
      expect(best?.index).toBe(logits.indexOf(Math.max(...logits)));
      const all = (await whole.classify(image, { top: 10 })).map(({ probability }) => probability);
      expect(all.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    },
  );

  it('takes any number of images, though it was written for one at a time', async () => {
    const { predictor } = await loadClassifier(fixture('torchscript.onnx'), { preprocessing });
    const black = new Uint8Array(bytes.length);
    const several = await predictor.outputs(Buffer.concat([black, bytes, black]));
    expect(several).toHaveLength(30);
    expectLogits(several.subarray(10, 20));
    expect(several.subarray(20)).toEqual(several.subarray(0, 10));
  });

  it('needs a size when it takes any', async () => {
    const path = fixture('any-size.onnx');
    await expect(loadClassifier(path, { preprocessing })).rejects.toThrow(
      /any-size\.onnx: its input accepts images of any size \(input: float32 \[n, 3, height, width\]\); expected a 'size' in the preprocessing \(--input-size\)/,
    );
    const { predictor } = await loadClassifier(path, { preprocessing: { ...preprocessing, size: [64, 64] } });
    expectLogits(await predictor.outputs(bytes));
  });

  it('needs to be told how values are scaled, and believes that they are logits unless told otherwise', async () => {
    const path = fixture('dynamo.onnx');
    for (const how of [{}, { preprocessing: { crop: 1 } }, { classes: logits.map(String) }])
      await expect(loadClassifier(path, how)).rejects.toThrow(
        /dynamo\.onnx: the file does not state how images are scaled; expected a preprocessing with 'mean' and 'std' \(--preprocessing imagenet, inception, keras, tf-slim, or --mean and --std\)/,
      );
    await expect(loadClassifier(path, { preprocessing, probabilities: true })).rejects.toThrow(
      /dynamo\.onnx: 10 of the 10 probabilities of image 1 of 1 are not numbers between 0 and 1, the first is -?[\d.]+; the file, or --probabilities, says that its outputs are probabilities/,
    );
  });
});
