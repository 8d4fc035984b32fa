import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import type { Engine } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import type { ModelFile } from '../../model/model-file.ts';
import type { NetworkOptions } from '../../networks/networks.ts';
import { loadModel } from '../../predict/load-model.ts';
import { DeployError } from '../deploy-error.ts';
import { validateModel } from '../run/validate-model.ts';
import { type ExportOnnxOptions, exportOnnx } from './export-onnx.ts';
import { onnxGraphOf } from './onnx-graph-of.ts';
import type { ParityReference } from './parity.ts';

let engine: Engine;
const folder = mkdtempSync(join(tmpdir(), 'inception-onnx-'));
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const file = join(folder, 'model.onnx');

/** libtorch, on the unmerged and unfolded graph. */
const libtorch = (model: ModelFile): ParityReference => ({
  name: 'libtorch',
  outputs: async (images) => {
    const loaded = await loadModel(model, { engine, precision: 'float32' });
    const { data } = await (model.graph.network.classes === 0 ? loaded.embed(images) : loaded.logits(images));
    loaded.release();
    return data as Float32Array;
  },
});

const exported = (model: ModelFile, options: Partial<ExportOnnxOptions> = {}) =>
  exportOnnx(model, { output: file, reference: libtorch(model), ...options });

describe('a network on ONNX Runtime gives the numbers of libtorch', () => {
  it.each<[network: string, options: NetworkOptions]>([
    ['inception-v3', {}],
    ['inception-v3', { countPadding: true, gamma: false, auxiliary: true, inputSize: 140 }],
    ['inception-v3', { hidden: [12, 8] }],
    ['inception-v4', {}],
    ['inception-v4', { inputSize: [75, 107] }],
    ['inception-resnet-v1', { inputChannels: 1 }],
    ['inception-resnet-v2', {}],
    ['inception-resnet-v2-released', { residualScale: 0.3 }],
    ['inception-resnet-v2', { classes: 0 }],
    ['inception-resnet-v2', { shortcuts: false }],
    ['inception-resnet-v1', { sumNorm: 'all' }],
    ['inception-resnet-v1-facenet', { inputSize: 107, classes: 0, embedding: 16 }],
  ])('%s with %j', async (network, options) => {
    const { parity } = await exported(sampleModel(network, options));
    expect(parity?.relativeDifference).toBeLessThan(1e-5);
    expect(parity?.sameTop1).toBe(parity?.images);
  });

  it.each([
    { foldBatchNorm: false },
    { foldResidualScale: false },
    { foldBatchNorm: false, foldResidualScale: false, exchangePooling: false },
    { exchangePooling: false },
    { mergeSiblings: true },
    { mergeSiblings: true, foldBatchNorm: false },
  ])('with the passes %j', async (passes) => {
    for (const network of ['inception-v4', 'inception-resnet-v2']) {
      const { parity } = await exported(sampleModel(network), { passes });
      expect(parity?.relativeDifference, network).toBeLessThan(1e-5);
    }
  });

  it('with bytes in and probabilities out, and other scaling for each channel', async () => {
    const model = sampleModel('inception-v4');
    const preprocessing = {
      ...model.description.preprocessing,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    } as const;
    const other = { ...model, description: { ...model.description, preprocessing } };
    for (const input of ['uint8', 'float32'] as const) {
      const { parity } = await exported(other, { input, softmax: true });
      expect(parity?.relativeDifference).toBeLessThan(1e-5);
    }
  });

  it('in float16, to float16', async () => {
    for (const input of ['uint8', 'float32'] as const) {
      const { parity, bytes } = await exported(sampleModel('inception-resnet-v2'), {
        input,
        precision: 'float16',
      });
      expect(parity?.relativeDifference).toBeLessThan(5e-3);
      expect(parity?.relativeDifference).toBeGreaterThan(1e-6);
      expect(bytes).toBeLessThan(1_800_000);
    }
  });
});

describe('the file', () => {
  it('has the names of the graph and everything about the model in its metadata', async () => {
    const model = sampleModel('inception-v4');
    await exported(model, { input: 'uint8' });
    const { metadata } = validateModel(readFileSync(file), file);
    expect(Object.fromEntries(metadata)).toMatchObject({
      labels: JSON.stringify(model.description.classes),
      'Image.BitmapPixelFormat': 'Rgb8',
      'Image.NominalPixelRange': 'NominalRange_0_255',
      output: 'logits',
      precision: 'float32',
    });
    expect(JSON.parse(metadata.get('model') as string)).toEqual(model.description);
    const { nodes, constants, input, outputs } = await onnxGraphOf(model);
    const values = nodes.flatMap(({ outputs: names }) => names);
    const { nodes: layers, endpoints } = model.graph;
    const named = [...endpoints.values()].map((id) => layers[id]?.path);
    expect(values).toEqual(expect.arrayContaining(named.filter((path) => path !== 'dropout')));
    expect(constants.has('inceptionA/0/branch1/conv2/weight')).toBe(true);
    expect(new Set(values).size).toBe(values.length);
    expect([input.name, input.dims, outputs.map(({ name, dims }) => [name, dims])]).toEqual([
      'images',
      ['n', 3, 75, 75],
      [['logits', ['n', 7]]],
    ]);
  });

  it('is not there when its numbers are wrong, and the error has them', async () => {
    const model = sampleModel('inception-v4');
    const wrong = join(folder, 'wrong.onnx');
    const off: ParityReference = {
      name: 'a bad reference',
      outputs: async (images) => (await libtorch(model).outputs(images)).map((value) => value * 1.01),
    };
    const failing = exported(model, { output: wrong, reference: off });
    await expect(failing).rejects.toThrow(DeployError);
    await expect(failing).rejects.toThrow(
      /wrong\.onnx: .*differ from a bad reference's by 9\.9e-3.*at most 0\.0001/,
    );
    const not: ParityReference = {
      name: 'nothing',
      outputs: async () => new Float32Array(28).fill(Number.NaN),
    };
    await expect(exported(model, { output: wrong, reference: not })).rejects.toThrow(/NaN/);
    expect(existsSync(wrong)).toBe(false);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
  });

  it('is refused in float16 if a weight is beyond it', async () => {
    const model = sampleModel('inception-v4');
    const read: ModelFile['read'] = async (parameter) =>
      (await model.read(parameter)).map((value) => (parameter.name === 'logits/bias' ? 7e4 : value));
    await expect(exported({ ...model, read }, { precision: 'float16' })).rejects.toThrow(
      "'logits/bias' has the value 70000, but float16 is limited to 65504; export as float32",
    );
  });
});
