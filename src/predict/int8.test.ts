/** int8 in the engine. The expected numbers are ONNX Runtime's, of the int8 file with the same ranges. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { compileInference } from '../compile/inference/compile-inference.ts';
import type { InferenceOptions } from '../compile/options.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Engine, HostTensor } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { syntheticImages } from '../images/synthetic-images.ts';
import type { ModelFile } from '../model/model-file.ts';
import { configure } from '../networks/networks.ts';
import {
  avgPool,
  conv,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  linearSum,
  maxPool,
  type Network,
  relu,
} from '../networks/notation.ts';
import { openOnnxPredictor } from '../onnx/run/onnx-predictor.ts';
import { encodeModel } from '../onnx/write/encode-model.ts';
import { quantiseByRanges } from '../onnx/write/int8/quantise.ts';
import { onnxGraphOf } from '../onnx/write/onnx-graph-of.ts';
import { findRanges } from '../quantise/quantise-model.ts';
import { loadModel } from './load-model.ts';

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

const count = 4;

function datasetOf({ description: { preprocessing } }: ModelFile): { dataset: Dataset; images: Uint8Array } {
  const images = syntheticImages(preprocessing, count);
  const [height, width] = preprocessing.size;
  const bytes = images.length / count;
  const dataset = {
    name: 'four images',
    length: count,
    classes: [],
    label: () => -1,
    nameOf: String,
    image: (index: number) => ({
      ...{ height, width, channels: 3 as const },
      data: images.subarray(index * bytes, (index + 1) * bytes),
    }),
  };
  return { dataset, images };
}

const quantised = (name: string) => withRanges(sampleModel(name));

async function withRanges(whole: ModelFile): Promise<{ model: ModelFile; images: Uint8Array }> {
  const model = {
    ...whole,
    description: { ...whole.description, preprocessing: { ...whole.description.preprocessing, crop: 1 } },
  };
  const { dataset, images } = datasetOf(model);
  const int8 = await findRanges(model, { dataset, method: 'min-max' });
  return { model: { ...model, description: { ...model.description, int8 } }, images };
}

const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(Array.from(a, (value, index) => value - (b[index] as number))) / norm(b);

async function byEngine(model: ModelFile, images: Uint8Array, precision: 'float32' | 'int8') {
  const loaded = await loadModel(model, { engine, precision, batch: count });
  const { data } = await loaded.logits(images);
  loaded.release();
  return data as Float32Array;
}

async function byOnnxRuntime(model: ModelFile, images: Uint8Array): Promise<Float32Array> {
  const { int8, preprocessing } = model.description;
  const graph = quantiseByRanges(await onnxGraphOf(model), int8?.ranges ?? {});
  const file = encodeModel({ graph, metadata: {}, producerVersion: '' });
  const predictor = await openOnnxPredictor(file, { path: 'int8', preprocessing, softmax: false });
  const outputs = await predictor.outputs(images);
  await predictor.release();
  return outputs;
}

describe('an int8 model in the engine', () => {
  // Residual networks: the engine adds the residual before it rounds, the file afterwards.
  it.each([
    ['inception-v3', 0.01],
    ['inception-v4', 0.01],
    ['inception-resnet-v1', 0.025],
    ['inception-resnet-v2', 0.025],
    ['inception-resnet-v2-released', 0.025],
    ['inception-resnet-v1-facenet', 0.025],
  ])('gives the logits of %s that ONNX Runtime gives, within %d of their norm', async (name, tolerance) => {
    const { model, images } = await quantised(name);
    const expected = await byOnnxRuntime(model, images);
    const received = await byEngine(model, images, 'int8');
    expect(difference(received, expected)).toBeLessThan(tolerance);
    // It is int8 that is compared: float32 has other numbers.
    const float32 = await byEngine(model, images, 'float32');
    expect(difference(received, float32)).toBeGreaterThan(0.005);
    expect(difference(received, float32)).toBeLessThan(0.05);
  });

  it('computes bytes from the first convolution to the last grid', async () => {
    const { model } = await quantised('inception-v4');
    const options = { batch: 1, precision: 'int8', ranges: model.description.int8?.ranges } as const;
    const { predict } = compileInference(model.graph, options);
    const operators = predict.steps.flatMap((step) => (step.do === 'call' ? [step.operator] : []));
    const times = (operator: string) => operators.filter((each) => each === `inception::${operator}`).length;
    const conversions = [times('quantise_bytes'), times('dequantise_bytes')];
    expect([...conversions, times('convolution_packed')]).toEqual([1, 1, 1]);
    expect(times('convolution_int8')).toBeGreaterThan(30);
  });

  it('gives named parts as float32, near those of float32', async () => {
    const { model, images } = await quantised('inception-resnet-v2');
    const parts = { endpoints: ['stem', 'inceptionResnetA/0'], strides: [8] };
    const results = [];
    for (const precision of ['float32', 'int8'] as const) {
      const loaded = await loadModel(model, { engine, precision });
      results.push(await loaded.features(images, parts));
      loaded.release();
    }
    const [exact, bytes] = results as [Record<string, HostTensor>, Record<string, HostTensor>];
    for (const [name, { data, dtype, shape }] of Object.entries(exact)) {
      expect([bytes[name]?.dtype, bytes[name]?.shape]).toEqual([dtype, shape]);
      expect(difference(bytes[name]?.data as Float32Array, data as Float32Array)).toBeLessThan(0.03);
    }
  });

  it('has zero points where values are below 0: in padding, pooling, sums and a ReLU by itself', async () => {
    const figure: Network = {
      name: 'below-zero',
      about: 'values below 0',
      classes: 5,
      input: [24, 24, 3],
      layers: {
        first: conv('3x3', 8),
        linear: conv('3x3', 12, 'Linear'),
        padded: conv('3x3', 12, 'Linear'),
        pooling: avgPool('3x3'),
        branches: linearSum([], [conv('3x3', 12, 'Linear')]),
        rectified: relu(),
        joined: filterConcat([conv('1x1', 8, 'Linear')], [conv('3x3', 8)], [maxPool('3x3')]),
        averagePooling: globalAvgPool(),
        logits: fullyConnected(),
      },
    };
    const graph = buildGraph(configure(figure, { classes: 5 }));
    const sample = sampleModel('inception-v4');
    const preprocessing = standardPreprocessing([24, 24]);
    const { model, images } = await withRanges({
      ...sample,
      graph,
      description: { ...sample.description, figure, preprocessing },
    });
    const below = Object.values(model.description.int8?.ranges ?? {}).filter(([low]) => low < 0);
    expect(below.length).toBeGreaterThan(4);
    const received = await byEngine(model, images, 'int8');
    expect(difference(received, await byOnnxRuntime(model, images))).toBeLessThan(0.02);
    expect(difference(received, await byEngine(model, images, 'float32'))).toBeLessThan(0.06);
  });

  it('is what an int8 model is opened as, unless another precision is asked for', async () => {
    const { model, images } = await quantised('inception-v3');
    const loaded = await loadModel(model, { engine, batch: count });
    const { data } = await loaded.logits(images);
    loaded.release();
    expect(data).toEqual(await byEngine(model, images, 'int8'));
  });

  it('is refused for a model without ranges, with the command that finds them', async () => {
    await expect(loadModel(sampleModel('inception-v4'), { engine, precision: 'int8' })).rejects.toThrow(
      "precision: int8 needs a quantised model, a small inception-v4 is none; 'inception quantise a small inception-v4 --data FOLDER' writes one",
    );
  });

  it('is refused with the ranges of another network, without native kernels and without ranges', () => {
    const { graph } = sampleModel('inception-v4');
    const ranges = { 'inceptionResNetA/0': [0, 1] } as const;
    const compile = (options: Partial<InferenceOptions>) => () =>
      compileInference(graph, { batch: 1, precision: 'int8', ...options });
    expect(compile({ ranges })).toThrow(
      "ranges: 'inceptionResNetA/0' is no value of inception-v4; these are the ranges of another network",
    );
    expect(compile({ ranges, kernels: 'aten' })).toThrow(
      "precision: int8 needs the native kernels of the CPU; expected float32 or bfloat16 with kernels 'aten'",
    );
    expect(compile({})).toThrow('precision: int8 needs the ranges of the activations; expected `ranges`');
  });
});
