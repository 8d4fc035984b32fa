import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../test/sample-model.ts';
import { compileInference } from '../compile/inference/compile-inference.ts';
import { inferenceGraphPasses, inferenceProgramPasses } from '../compile/inference/inference-passes.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { type Node, parametersOf } from '../graph/graph.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { graphOf, type ModelDescription, modelMetadata } from '../model/description.ts';
import { initialValues } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { writeModel } from '../model/write-model.ts';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { conv, fullyConnected, globalAvgPool, type Network } from '../networks/notation.ts';
import { randomFor } from '../random.ts';
import { writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { type LoadedModel, loadModel, strideEndpoints } from './load-model.ts';

const [height, width] = [91, 123];

const description: ModelDescription = {
  network: 'inception-v4',
  options: { classes: 4, width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: [height, width] },
  classes: ['cat', 'dog', 'fox', 'owl'],
  preprocessing: standardPreprocessing([height, width]),
};

let engine: Engine;
let folder: string;
let path: string;
const random = randomFor(1, 1);
const images = Uint8Array.from({ length: 5 * height * width * 3 }, () => Math.floor(random() * 256));
const values = (tensor: { data: ArrayLike<number | bigint> } | undefined): number[] =>
  Array.from((tensor as { data: ArrayLike<number> }).data);

beforeAll(async () => {
  engine = openTorch({ device: 'cpu' });
  folder = await mkdtemp(join(tmpdir(), 'inception-load-'));
  path = join(folder, 'model.safetensors');
  const parameters = parametersOf(graphOf(description));
  const read = async (parameter: (typeof parameters)[number]) => initialValues(parameter, 1);
  await writeModel(path, { description, parameters, read });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const load = (): Promise<LoadedModel> => loadModel(path, { engine, precision: 'float32' });

describe('loadModel', () => {
  it('embeds any number of images of any size that the network allows', async () => {
    const model = await load();
    const [embedded, logits] = [await model.embed(images), await model.logits(images)];
    const features = embedded.shape[1] as number;
    expect([embedded.shape, logits.shape]).toEqual([
      [5, features],
      [5, 4],
    ]);
    // What the classifier reads: its weights give the logits.
    const byName = new Map(parametersOf(model.graph).map((each) => [each.name, each]));
    const weight = initialValues(byName.get('logits/weight') as never, 1);
    for (const [at, logit] of values(logits).entries()) {
      const [row, label] = [Math.floor(at / 4), at % 4];
      let sum = 0;
      for (let feature = 0; feature < features; feature++)
        sum +=
          (embedded.data[row * features + feature] as number) *
          (weight[label * features + feature] as number);
      expect(logit).toBeCloseTo(sum, 4);
    }
    const third = images.subarray(2 * height * width * 3, 3 * height * width * 3);
    const alone = values(await model.embed(third));
    const within = values(embedded).slice(2 * features, 3 * features);
    for (const [at, value] of alone.entries()) expect(value).toBeCloseTo(within[at] as number, 4);
    model.release();
  });

  it('gives named parts, and the last part of each stride', async () => {
    const model = await load();
    const one = images.subarray(0, height * width * 3);
    const parts = await model.features(one, { endpoints: ['stem', 'inceptionB/0'], strides: [8, 16] });
    expect(Object.keys(parts)).toEqual(['stem', 'inceptionB/0', 'stride 8', 'stride 16']);
    const { graph } = model;
    const { shape } = graph.nodes[graph.endpoints.get('stem') as number] as Node;
    expect(parts.stem?.shape).toEqual([1, shape[2], shape[0], shape[1]]);
    // One B block: the part and the stride are the same.
    expect(values(parts['stride 16'])).toEqual(values(parts['inceptionB/0']));
    expect(values(parts['stride 8'])).not.toEqual(values(parts.stem));
    await expect(model.features(one, { strides: [3] })).rejects.toThrow(
      'no part has a stride of 3; there are 2, 4, 8, 16, 32',
    );
    await expect(model.features(one, { endpoints: ['inceptionD'] })).rejects.toThrow(
      "there is no endpoint 'inceptionD'; there are stem/conv1",
    );
    await expect(model.embed(images.subarray(0, 100))).rejects.toThrow(
      'images: expected n × 91×123×3 values, received 100',
    );
    model.release();
  });

  it('takes floats that are scaled already', async () => {
    const model = await load();
    const scaled = Float32Array.from(images, (value) => value / 127.5 - 1);
    const [bytes, floats] = [values(await model.logits(images)), values(await model.logits(scaled))];
    for (const [at, value] of floats.entries()) expect(value).toBeCloseTo(bytes[at] as number, 4);
    model.release();
  });

  it('gets a new classifier without losing the old one', async () => {
    const model = await load();
    const before = values(await model.logits(images));
    const changed = await model.resetClassifier(['rose', 'tulip'], { seed: 7 });
    expect(changed.description).toMatchObject({ classes: ['rose', 'tulip'], options: { classes: 2 } });
    expect((await changed.logits(images)).shape).toEqual([5, 2]);
    expect(values(await changed.embed(images))).toEqual(values(await model.embed(images)));
    expect(values(await model.logits(images))).toEqual(before);
    const again = await model.resetClassifier(['rose', 'tulip'], { seed: 7 });
    expect(values(await again.logits(images))).toEqual(values(await changed.logits(images)));
    for (const each of [model, changed, again]) each.release();
  });

  it('computes hidden layers between the features and the logits, and a new classifier has none', async () => {
    const options = { ...description.options, hidden: [6, 5] };
    const graph = graphOf({ ...description, options });
    const file: ModelFile = {
      description: { ...description, options },
      graph,
      source: 'hidden',
      read: async (parameter) => initialValues(parameter, 3),
      close: async () => undefined,
    };
    const model = await loadModel(file, { engine, precision: 'float32' });
    const features = await model.embed(images);
    const byName = new Map(parametersOf(graph).map((each) => [each.name, each]));
    const layer = (input: readonly number[], path: string, relu: boolean) => {
      const weight = initialValues(byName.get(`${path}/weight`) as never, 3);
      return Array.from({ length: weight.length / input.length }, (_, output) => {
        const terms = input.map((value, index) => value * (weight[output * input.length + index] as number));
        const sum = terms.reduce((total, term) => total + term, 0);
        return relu ? Math.max(0, sum) : sum;
      });
    };
    const width = features.shape[1] as number;
    const logits = values(await model.logits(images));
    expect(logits.slice(0, 4)).not.toEqual(logits.slice(4, 8));
    for (let row = 0; row < 5; row++) {
      let current = values(features).slice(row * width, (row + 1) * width);
      current = layer(layer(current, 'hidden/dense1', true), 'hidden/dense2', true);
      layer(current, 'logits', false).forEach((value, label) => {
        expect(logits[row * 4 + label]).toBeCloseTo(value, 4);
      });
    }
    const changed = await model.resetClassifier(['rose', 'tulip']);
    expect(changed.description.options.hidden).toBeUndefined();
    expect(values(await changed.embed(images))).toEqual(values(features));
    for (const each of [model, changed]) each.release();
  });

  it('refuses weights that are not finite numbers: ReLU would make them zeros, and the results look like results', async () => {
    const parameters = parametersOf(graphOf(description));
    const spoiled = (parameter: (typeof parameters)[number]) => {
      const data = initialValues(parameter, 1);
      return parameter.name === 'logits/bias' ? data.fill(Number.NaN, 2) : data;
    };
    const file = join(folder, 'nan.safetensors');
    const model = {
      description,
      parameters,
      read: async (parameter: (typeof parameters)[number]) => spoiled(parameter),
    };
    await expect(writeModel(file, model)).rejects.toThrow(
      "'logits/bias' holds NaN (element 2 of 4); no model was written",
    );
    const tensors = parameters.map((parameter) => ({
      ...parameter,
      dtype: 'F32',
      read: () => spoiled(parameter),
    }));
    await writeSafetensors(file, { tensors, metadata: modelMetadata(description) });
    await expect(loadModel(file, { engine, precision: 'float32' })).rejects.toThrow(
      /nan\.safetensors: 'logits\/bias' holds NaN \(element 2 of 4\); no result would show it$/,
    );
  });

  it('says which file is missing', async () => {
    await expect(loadModel(join(folder, 'none'), { engine })).rejects.toThrow(
      /none: no such run folder or file; a model on the hub is written hub:owner\/name$/,
    );
  });
});

describe('features', () => {
  const switchedOff = Object.fromEntries(
    [...inferenceGraphPasses, ...inferenceProgramPasses].map(({ name }) => [name, false]),
  );

  // The other implementation: libtorch's own operators, with no pass over the graph.
  async function unfused({ graph, description, read }: ModelFile, pixels: Uint8Array) {
    const { mean, std } = description.preprocessing;
    const program = compileInference(graph, {
      ...{ batch: 1, precision: 'float32', kernels: 'aten', scaling: { mean, std }, passes: switchedOff },
      endpoints: [...graph.endpoints.keys()],
    });
    const store = await engine.createStore(program.store);
    for (const parameter of parametersOf(graph)) await store.write(parameter.name, await read(parameter));
    await (await engine.load(program.prepare, store)).run({});
    const outputs = await (await engine.load(program.predict, store)).run({ images: pixels });
    store.release();
    return outputs;
  }

  const furthest = (left: readonly number[], right: readonly number[]) =>
    left.reduce((most, value, at) => Math.max(most, Math.abs(value - (right[at] as number))), 0);

  it.each(networks.map(({ name, auxiliary }) => [name, auxiliary !== undefined] as const))(
    'gives every endpoint of %s, the auxiliary head and the logits included (%s)',
    async (network, auxiliary) => {
      const file = sampleModel(network, { width: 0.125, inputSize: 107, auxiliary });
      const pixels = Uint8Array.from({ length: 107 * 107 * 3 }, () => Math.floor(random() * 256));
      const expected = await unfused(file, pixels);
      const model = await loadModel(file, { engine, precision: 'float32' });
      const endpoints = [...model.graph.endpoints.keys()];
      const found = await model.features(pixels, { endpoints });
      expect(Object.keys(found)).toEqual(endpoints);
      for (const name of endpoints) {
        expect(found[name]?.shape, name).toEqual(expected[name]?.shape);
        expect(furthest(values(found[name]), values(expected[name])), name).toBeLessThan(1e-3);
      }
      const alone = await model.features(pixels, { endpoints: ['logits'] });
      expect(values(alone.logits)).toEqual(values(await model.logits(pixels)));
      expect(furthest(values(await model.embed(pixels)), values(expected.features))).toBeLessThan(1e-3);
      model.release();
    },
  );

  it('says which layer of a network of one’s own has the name of an output', () => {
    const network = configure(
      {
        ...findNetwork('inception-v4'),
        name: 'mine',
        layers: { features: conv('3x3', 8), pool: globalAvgPool(), logits: fullyConnected() },
      } as Network,
      { classes: 3, inputSize: 75 },
    );
    expect(() =>
      compileInference(buildGraph(network), { batch: 1, precision: 'float32', endpoints: ['features'] }),
    ).toThrow(
      "the endpoint 'features' has the name of an output of every prediction; give the layer another name",
    );
  });
});

describe('strideEndpoints', () => {
  // timm 1.0.31's feature_info: channels by reduction.
  it.each([
    ['inception-v3', [64, 192, 288, 768, 2048]],
    ['inception-v4', [64, 160, 384, 1024, 1536]],
    ['inception-resnet-v2-released', [64, 192, 320, 1088, 1536]],
  ])('of %s are those of timm’s features_only', (network, channels) => {
    const graph = buildGraph(configure(findNetwork(network)));
    const found = [...strideEndpoints(graph)].map(([stride, name]) => {
      const { shape } = graph.nodes[graph.endpoints.get(name) as number] as Node;
      return [stride, shape[2]];
    });
    expect(found).toEqual([2, 4, 8, 16, 32].map((stride, index) => [stride, channels[index]]));
  });
});
