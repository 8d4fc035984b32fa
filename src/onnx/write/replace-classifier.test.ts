/** A new classifier in an exported file, by ONNX Runtime, against the same arithmetic on the features that the file has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { loadClassifier } from '../../classifier/classifier.ts';
import { syntheticImages } from '../../images/synthetic-images.ts';
import type { ModelDescription } from '../../model/description.ts';
import { probabilitiesOf } from '../../probe/apply-probe.ts';
import { addOutputs } from '../add-outputs.ts';
import { describedBy } from '../model-metadata.ts';
import { openOnnxPredictor } from '../run/onnx-predictor.ts';
import { readGraph } from '../run/read-graph.ts';
import { validateModel } from '../run/validate-model.ts';
import { exportOnnx } from './export-onnx.ts';
import { classifierInput, replaceClassifier } from './replace-classifier.ts';

describe('an .onnx file with another classifier', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inception-replaced-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const classes = ['owl', 'mug', 'Café'];

  /** Features by the file itself, [images, length], and a linear layer of formula values. */
  const replaced = async (name: string, hidden: readonly number[], precision: 'float32' | 'float16') => {
    const output = join(folder, `${name}.onnx`);
    const base = sampleModel('inception-v4', { width: 0.125, hidden });
    await exportOnnx(base, { output, input: 'uint8', precision, softmax: true });
    const file = new Uint8Array(await readFile(output));
    const input = classifierInput(readGraph(file, name), name);
    const images = syntheticImages(base.description.preprocessing, 2);
    const predictor = await openOnnxPredictor(addOutputs(file, [input]), {
      path: name,
      preprocessing: base.description.preprocessing,
      softmax: true,
    });
    const half = images.length / 2;
    const rows = [
      await predictor.output(images.subarray(0, half), input),
      await predictor.output(images.subarray(half), input),
    ];
    await predictor.release();
    const length = rows[0]?.dims[1] as number;
    const values = new Float32Array(rows.flatMap((row) => [...row.values]));
    const weight = Float32Array.from({ length: classes.length * length }, (_, at) => Math.sin(at) / length);
    const bias = Float32Array.of(0.1, -0.2, 0.3);
    const { hidden: _, ...options } = base.description.options;
    const description: ModelDescription = {
      ...base.description,
      options: { ...options, classes: classes.length },
      classes,
    };
    const bytes = replaceClassifier(file, { weight, bias, description, path: name });
    const taught = join(folder, `${name}-taught.onnx`);
    await writeFile(taught, bytes);
    return {
      file,
      bytes,
      taught,
      images,
      description,
      values,
      classifier: { weight, bias, part: { length } },
    };
  };

  it.each([
    ['plain', [], 'float32', 1e-6],
    ['with hidden layers', [12, 9], 'float32', 1e-6],
    ['in float16', [], 'float16', 2e-3],
  ] as const)('says what the layer says of its features: %s', async (name, hidden, precision, tolerance) => {
    const { taught, images, values, classifier, file, bytes, description } = await replaced(
      name,
      hidden,
      precision,
    );
    const opened = await loadClassifier(taught);
    expect(opened.classes).toEqual(classes);
    const given = await opened.predictor.predict(images);
    await opened.close();
    const expected = [...probabilitiesOf(classifier, values)].flatMap((row) => [...row]);
    expect(given.length).toBe(expected.length);
    expected.forEach((value, at) => {
      expect(Math.abs(value - (given[at] as number))).toBeLessThan(tolerance);
    });
    expect(describedBy(validateModel(bytes, name).metadata, name)).toEqual(description);
    expect(bytes.length).toBeLessThan(file.length);
  });

  it('is refused of a file whose classifier reads no vector', () => {
    const shaped = { nodes: [], inputs: [], constants: new Map() };
    expect(() => classifierInput(shaped, 'x.onnx')).toThrow(
      'x.onnx: its classifier is not fully connected; expected one that reads a vector of features',
    );
  });
});
