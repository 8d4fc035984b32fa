/** Class activations of an exported file, by ONNX Runtime, against the gradients that libtorch computes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { choosePart } from '../../explain/choose-part.ts';
import { gradCam } from '../../explain/value-maps.ts';
import { syntheticImages } from '../../images/synthetic-images.ts';
import { type Engine, openTorch } from '../../index.ts';
import { loadModel } from '../../predict/load-model.ts';
import { addOutputs } from '../add-outputs.ts';
import { DeployError } from '../deploy-error.ts';
import { openOnnxPredictor } from '../run/onnx-predictor.ts';
import { readGraph } from '../run/read-graph.ts';
import { activationOf, type ClassifierGrid, classifierGrid } from '../shapes/classifier-grid.ts';
import { exportOnnx } from './export-onnx.ts';

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = openTorch({ device: 'cpu', threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'inception-cam-'));
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const model = (inputSize: number) => sampleModel('inception-v4', { width: 0.125, inputSize });

describe('the class activation of an exported file', () => {
  it.each([
    ['float32', 1e-5],
    ['float16', 2e-2],
  ] as const)(
    'in %s is Grad-CAM of the last grid, and sums up to the logit without its bias',
    async (precision, within) => {
      const source = model(139);
      const output = join(folder, `${precision}.onnx`);
      await exportOnnx(source, { output, precision, input: 'uint8', classActivation: true });
      const images = syntheticImages(source.description.preprocessing, 1);
      const session = await ort.InferenceSession.create(await readFile(output));
      const tensor = new ort.Tensor('uint8', images, [1, 139, 139, 3]);
      const { logits, class_activation: maps } = await session.run({ images: tensor });
      expect(maps?.dims).toEqual([1, 7, 3, 3]);
      const activations = maps?.data as Float32Array;
      const predictor = await openOnnxPredictor(await readFile(output), {
        path: output,
        preprocessing: source.description.preprocessing,
      });
      expect(await predictor.classActivation?.(images)).toEqual({ height: 3, width: 3, values: activations });
      await predictor.release();
      await hasIt(await readFile(output), { images, activations, within });
      const loaded = await loadModel(source, { engine, precision: 'float32' });
      const { part } = choosePart(source.graph);
      const bias = await source.read(
        source.graph.nodes[source.graph.logits]?.parameters.members.flatMap((member) =>
          'bias' in member && member.bias ? [member.bias] : [],
        )[0] as never,
      );
      for (const label of [0, 5]) {
        const logitWeights = Float32Array.from({ length: 7 }, (_, index) => (index === label ? 1 : 0));
        const { values } = gradCam(await loaded.gradient(images, { logitWeights, endpoint: part.name }));
        const map = activations.slice(label * 9, (label + 1) * 9);
        values.forEach((value, cell) => {
          expect(Math.abs(value - Math.max(0, map[cell] as number))).toBeLessThan(within);
        });
        const sum = map.reduce((total, value) => total + value, 0);
        const logit = Number(logits?.data[label]) - (bias[label] as number);
        expect(Math.abs(sum - logit)).toBeLessThan(within);
      }
      loaded.release();
      await session.release();
    },
  );

  /** The page finds the same in a file without that output. */
  async function hasIt(
    bytes: Uint8Array,
    { images, activations, within }: { images: Uint8Array; activations: Float32Array; within: number },
  ): Promise<void> {
    const found = classifierGrid(readGraph(bytes, 'file'));
    const { grid, weight } = found as ClassifierGrid;
    const { preprocessing } = model(139).description;
    const predictor = await openOnnxPredictor(addOutputs(bytes, [grid, weight]), {
      path: 'file',
      preprocessing,
    });
    const [cells, rows] = [await predictor.output(images, grid), await predictor.output(images, weight)];
    await predictor.release();
    for (const label of [0, 6]) {
      const map = activationOf(cells, { weight: rows.values, label });
      expect(map.length).toBe(9);
      map.forEach((value, cell) => {
        expect(Math.abs(value - (activations[label * 9 + cell] as number))).toBeLessThan(within);
      });
    }
  }

  it('is not found of a classifier with hidden layers', async () => {
    const output = join(folder, 'hidden.onnx');
    await exportOnnx(sampleModel('inception-v4', { width: 0.125, inputSize: 139, hidden: [8] }), { output });
    expect(classifierGrid(readGraph(await readFile(output), output))).toBeUndefined();
  });

  it('is refused for int8, and where there is no grid', async () => {
    const output = join(folder, 'none.onnx');
    await expect(
      exportOnnx(model(139), { output, precision: 'int8', classActivation: true }),
    ).rejects.toThrow('classActivation: is not made of int8 weights; expected float32 or float16');
    await expect(exportOnnx(model(75), { output, classActivation: true })).rejects.toThrow(
      new DeployError(
        'class activation: expected a classifier that reads the mean of a grid of more than one cell; inception-v4 averages a grid of one cell (a larger input has more)',
      ),
    );
  });
});
