/**
 * Custom networks against other implementations: ResNet-50 against torchvision, Xception against timm (examples/), and a small
 * one with all its gradients against PyTorch. fixtures/own-networks/make.py wrote the expected values.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import custom from '../../examples/a-network-of-your-own.ts';
import resnet50 from '../../examples/resnet-50.ts';
import xception from '../../examples/xception.ts';
import { compileInference } from '../../src/compile/inference/compile-inference.ts';
import type { Kernels, Precision, TrainingOptions } from '../../src/compile/options.ts';
import { compileTraining } from '../../src/compile/training/compile-training.ts';
import type { Engine, HostTensor, Store } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { costsOf } from '../../src/graph/costs.ts';
import { type Graph, parametersOf } from '../../src/graph/graph.ts';
import { standardPreprocessing } from '../../src/images/preprocess.ts';
import type { ModelFile } from '../../src/model/model-file.ts';
import type { NetworkOptions } from '../../src/networks/network-options.ts';
import { configure } from '../../src/networks/networks.ts';
import type { Network } from '../../src/networks/notation.ts';
import { exportOnnx } from '../../src/onnx/write/export-onnx.ts';
import type { ParityReference } from '../../src/onnx/write/parity.ts';
import { loadModel } from '../../src/predict/load-model.ts';
import { sampleModel, sampleValues } from '../sample-model.ts';
import { readFixture } from './fixture.ts';
import { goldenImages } from './prng.ts';
import { channelsLast } from './reference.ts';
import { smallNetwork } from './small-network.ts';

interface ExpectedLogits {
  readonly source: string;
  readonly trainable_params: number;
  readonly input: { readonly shape: readonly [number, number, number, number] };
  readonly largest_error_of_float32: number;
  readonly indices: readonly number[];
  readonly logits_f64: readonly (readonly number[])[];
}

interface ExpectedGradients {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, { readonly l2: number; readonly first: readonly number[] }>>;
}

let engine: Engine;
beforeAll(() => {
  engine = openTorch();
});
afterAll(() => engine.close());

async function fill(store: Store, graph: Graph): Promise<void> {
  for (const parameter of parametersOf(graph)) await store.write(parameter.name, sampleValues(parameter));
}

const imagesOf = ([count, , side]: ExpectedLogits['input']['shape']) =>
  channelsLast(goldenImages(side, count), side);

const training: TrainingOptions = {
  batch: 4,
  precision: 'float32',
  images: 'float32',
  optimizer: { decay: 0.9, epsilon: 1, momentum: 0.9 },
  weightDecay: 0,
  labelSmoothing: 0,
  auxiliaryLossWeight: 0,
  batchNormMomentum: 0.1,
  clipNorm: undefined,
};

const everyKernels: readonly Kernels[] = ['native', 'aten'];

describe.each<[network: Network, fixture: string]>([
  [resnet50, 'resnet-50'],
  [xception, 'xception'],
])('$name', (network, fixture) => {
  const expected = readFixture<ExpectedLogits>(`own-networks/${fixture}.json`);
  const graph = buildGraph(configure(network));

  it(`has the ${expected.trainable_params} parameters of ${expected.source}`, () => {
    expect(costsOf(graph).parameters).toBe(expected.trainable_params);
  });

  it.each(everyKernels)(`gives the logits of ${expected.source} with %s kernels`, async (kernels) => {
    const compiled = compileInference(graph, { batch: 2, precision: 'float32', images: 'float32', kernels });
    const store = await engine.createStore(compiled.store);
    await fill(store, graph);
    const prepare = await engine.load(compiled.prepare, store);
    await prepare.run({});
    const predict = await engine.load(compiled.predict, store);
    const { logits } = await predict.run({ images: imagesOf(expected.input.shape) });
    for (const resource of [prepare, predict, store]) resource.release();
    const { data } = logits as HostTensor;
    const worst = expected.logits_f64.flatMap((row, image) =>
      row.map((value, column) =>
        Math.abs(Number(data[image * 1000 + (expected.indices[column] as number)]) - value),
      ),
    );
    expect(Math.max(...worst)).toBeLessThan(10 * expected.largest_error_of_float32);
  });
});

describe('a network with every mark, TensorFlow’s padding and groups', () => {
  const labels = BigInt64Array.of(0n, 1n, 2n, 3n);

  it.each<[kernels: Kernels, options: NetworkOptions, fixture: string]>(
    everyKernels.flatMap((kernels) => [
      [kernels, {}, 'small'],
      [kernels, { hidden: [12, 8] }, 'small-hidden'],
    ]),
  )('has PyTorch’s loss and gradients with %s kernels and options %j', async (kernels, options, fixture) => {
    const graph = buildGraph(configure(smallNetwork, options));
    const expected = readFixture<ExpectedGradients>(`own-networks/${fixture}.json`);
    const { store: spec, step } = compileTraining(graph, { ...training, kernels, update: false });
    const store = await engine.createStore(spec);
    await fill(store, graph);
    const loaded = await engine.load(step, store);
    const { loss } = await loaded.run({ images: imagesOf([4, 3, 20, 20]), labels });
    expect(Number(loss?.data[0])).toBeCloseTo(expected.loss, 5);
    for (const [name, { l2, first }] of Object.entries(expected.gradients)) {
      const { data } = await store.read(`gradient/${name}`);
      const values = Array.from(data as Float32Array);
      const norm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
      expect(Math.abs(norm - l2), name).toBeLessThan(1e-5 * Math.max(l2, 0.1));
      const differences = first.map((value, index) => Math.abs((values[index] as number) - value));
      expect(Math.max(...differences), name).toBeLessThan(1e-5);
    }
    loaded.release();
    store.release();
  });

  it.each<[name: string, network: Network, side: number, width: number, precision: Precision]>([
    ['this network', smallNetwork, 20, 1, 'float32'],
    ['this network in bfloat16', smallNetwork, 20, 1, 'bfloat16'],
    ['ResNet-50', resnet50, 64, 0.125, 'float32'],
    ['Xception', xception, 75, 0.125, 'float32'],
    ['Xception in bfloat16', xception, 75, 0.125, 'bfloat16'],
  ])('of %s learns four images by heart', async (_, network, side, width, precision) => {
    const graph = buildGraph(configure(network, { classes: 5, inputSize: side, width }));
    const { store: spec, step } = compileTraining(graph, { ...training, precision });
    const store = await engine.createStore(spec);
    await fill(store, graph);
    const loaded = await engine.load(step, store);
    const inputs = {
      labels,
      learningRate: new Float32Array([0.05]),
      averageDecay: new Float32Array([0.9]),
    };
    const losses: number[] = [];
    for (let count = 0; count < 12; count++) {
      const { loss } = await loaded.run({ ...inputs, images: imagesOf([4, 3, side, side]) });
      losses.push(Number(loss?.data[0]));
    }
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2);
    loaded.release();
    store.release();
  });
});

describe('ONNX Runtime gives the numbers of libtorch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inception-own-onnx-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each<[name: string, network: Network, options: NetworkOptions]>([
    ['ResNet-50', resnet50, { inputSize: 64, width: 0.25 }],
    ['Xception', xception, { inputSize: 75, width: 0.25 }],
    ['a custom network with TensorFlow’s padding', custom, { inputSize: [50, 64] }],
  ])('of %s, in float32 and float16', async (_, network, options) => {
    const graph = buildGraph(configure(network, { ...options, classes: 7 }));
    const [height, width] = graph.network.input;
    const usual = sampleModel('inception-v4');
    const model: ModelFile = {
      ...usual,
      graph,
      description: {
        ...usual.description,
        network: network.name,
        options: { ...options, classes: 7 },
        preprocessing: standardPreprocessing([height, width]),
      },
    };
    const reference: ParityReference = {
      name: 'libtorch',
      outputs: async (images) => {
        const loaded = await loadModel(model, { engine, precision: 'float32' });
        const { data } = await loaded.logits(images);
        loaded.release();
        return data as Float32Array;
      },
    };
    const output = join(folder, 'model.onnx');
    for (const [precision, within] of [
      ['float32', 1e-5],
      ['float16', 2e-2],
    ] as const) {
      const { parity } = await exportOnnx(model, { output, reference, precision });
      expect(parity?.relativeDifference, precision).toBeLessThan(within);
    }
  });
});
