/**
 * The same numbers as PyTorch's for Cadene's Inception-v4 and Inception-ResNet-v2 with reproducible weights, in float32
 * and within the tolerances that tolerances.json recommends. The smallest typical bug moves the logits a thousand times
 * further (sensitivity in test/fixtures/README.md).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileInference } from '../../src/compile/compile-inference.ts';
import { compileTraining } from '../../src/compile/compile-training.ts';
import type { Passes, TrainingOptions } from '../../src/compile/options.ts';
import type { Engine, HostArray, HostTensor, Store } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { elementCount, type Node } from '../../src/graph/graph.ts';
import { configure, findNetwork } from '../../src/networks/networks.ts';
import { timmNames, timmStages } from '../../src/weights/timm-names.ts';
import { type GoldenModel, type GradientNorm, readExpected, readParams, tolerance } from './fixture.ts';
import { goldenImages, goldenProjection, goldenTensor } from './prng.ts';

const numbers: TrainingOptions = {
  batch: 2,
  precision: 'float32',
  images: 'float32',
  optimizer: { decay: 0.9, epsilon: 1, momentum: 0.9 },
  weightDecay: 0,
  labelSmoothing: 0,
  auxiliaryLossWeight: 0,
  batchNormMomentum: 0.1,
  clipNorm: undefined,
  dropout: false,
  update: false,
};

/** [2, 3, h, w] to [2, h, w, 3]. */
function channelsLast(planar: Float32Array, [height, width]: readonly [number, number]): Float32Array {
  const result = new Float32Array(planar.length);
  const area = height * width;
  for (let at = 0; at < planar.length; at++) {
    const image = Math.floor(at / (3 * area));
    const channel = Math.floor(at / area) % 3;
    result[(image * area + (at % area)) * 3 + channel] = planar[at] as number;
  }
  return result;
}

const largestDifference = (actual: ArrayLike<number>, expected: readonly number[]): number =>
  expected.reduce((worst, value, index) => Math.max(worst, Math.abs((actual[index] as number) - value)), 0);

const norm = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] as number) ** 2;
  return Math.sqrt(sum);
};

describe.each([
  ['inception-v4', 'cadene_inceptionv4'],
  ['inception-resnet-v2-released', 'cadene_inceptionresnetv2'],
] as const)('%s against PyTorch', (networkName, model: GoldenModel) => {
  const graph = buildGraph(configure(findNetwork(networkName)));
  const expected = readExpected(model);
  const names = timmNames(graph, 'cadene');
  const ours = new Map([...names].map(([mine, theirs]) => [theirs, mine]));
  const images = channelsLast(goldenImages(), [299, 299]);
  const labels = BigInt64Array.from(expected.train.labels, BigInt);
  const weights = new Map<string, Float32Array>();
  let engine: Engine;

  beforeAll(() => {
    engine = openTorch({ device: 'cpu' });
    for (const tensor of readParams(model).params)
      weights.set(ours.get(tensor.name) as string, goldenTensor(tensor));
  });
  afterAll(() => engine.close());

  const fillStore = async (store: Store): Promise<void> => {
    for (const [name, values] of weights) await store.write(name, values);
  };

  /** Runs one training step without an update; the store keeps gradients and statistics. */
  async function step(options: Partial<TrainingOptions>, inputs: Record<string, HostArray>) {
    const { store: spec, step: program } = compileTraining(graph, { ...numbers, ...options });
    const store = await engine.createStore(spec);
    await fillStore(store);
    const loaded = await engine.load(program, store);
    const outputs = await loaded.run({ images, ...inputs });
    loaded.release();
    return { store, outputs };
  }

  async function predict(endpoints: readonly string[], passes: Passes) {
    const compiled = compileInference(graph, {
      batch: 2,
      precision: 'float32',
      images: 'float32',
      endpoints,
      passes,
    });
    const store = await engine.createStore(compiled.store);
    await fillStore(store);
    await (await engine.load(compiled.prepare, store)).run({});
    const outputs = await (await engine.load(compiled.predict, store)).run({ images });
    store.release();
    return outputs;
  }

  /** Largest relative difference of the gradients' norms; a gradient that must vanish counts against all of them. */
  async function worstNorm(store: Store, params: readonly GradientNorm[], whole: number): Promise<number> {
    let worst = 0;
    for (const { name, l2_f64 } of params) {
      const { data } = await store.read(`gradient/${ours.get(name)}`);
      const scale = l2_f64 < 1e-6 * whole ? whole : l2_f64;
      worst = Math.max(worst, Math.abs(norm(data as Float32Array) - l2_f64) / scale);
    }
    return worst;
  }

  const logitsOf = (outputs: Record<string, HostTensor>): Float32Array =>
    outputs.logits?.data as Float32Array;

  it('has a name for every tensor, with the same shape', () => {
    const shapes = new Map(
      graph.nodes.flatMap((node) =>
        node.parameters.members.flatMap((member) =>
          Object.values(member).map((each) => [each.name, each.shape] as const),
        ),
      ),
    );
    const { params } = readParams(model);
    expect(new Set(names.values())).toEqual(new Set(params.map(({ name }) => name)));
    for (const { name, shape } of params) expect(shapes.get(ours.get(name) as string)).toEqual(shape);
  });

  it('gives its stages and logits in evaluation', async () => {
    const stages = timmStages(graph, 'cadene');
    const endpoint = (stage: string) =>
      stage === 'pooled' ? 'averagePooling' : (stages.get(stage) as string);
    const outputs = await predict(
      expected.eval.stages.map(({ name }) => endpoint(name)),
      {},
    );
    for (const { name, indices, values, shape } of expected.eval.stages) {
      const stage = outputs[endpoint(name)] as HostTensor;
      expect(stage.shape, name).toEqual(shape);
      const sampled = indices.map((index) => stage.data[index] as number);
      expect(largestDifference(sampled, values), name).toBeLessThan(
        tolerance(model, 'eval any stage value (abs)'),
      );
    }
    const difference = largestDifference(logitsOf(outputs), expected.eval.logits_f64.flat());
    expect(difference).toBeLessThan(tolerance(model, 'eval logits (abs)'));
  });

  it.each(['mergeSiblings', 'foldBatchNorm', 'foldResidualScale'] as const)(
    'gives the same logits in evaluation without the pass %s',
    async (pass) => {
      const outputs = await predict([], { [pass]: false });
      const difference = largestDifference(logitsOf(outputs), expected.eval.logits_f64.flat());
      expect(difference).toBeLessThan(tolerance(model, 'eval logits (abs)'));
    },
  );

  it('gives its gradients with frozen batch normalisation', async () => {
    const { store, outputs } = await step({ batchNorm: 'moving' }, { labels });
    const { loss_f64, params, all_params_l2_f64 } = expected.eval.gradients_frozen_bn;
    expect(Math.abs((outputs.loss?.data[0] as number) - loss_f64)).toBeLessThan(1e-5);
    const within = tolerance(model, 'gradients_frozen_bn, L2 norms (relative)');
    expect(await worstNorm(store, params, all_params_l2_f64)).toBeLessThan(within);
    expect(Math.abs((outputs.gradientNorm?.data[0] as number) / all_params_l2_f64 - 1)).toBeLessThan(within);
    store.release();
  });

  it('gives its logits, loss, gradients and statistics in training', async () => {
    const { store, outputs } = await step({ endpoints: ['logits'] }, { labels });
    const {
      logits_f64,
      losses,
      gradients,
      batch_norm_running_stats_after_this_one_step: statistics,
    } = expected.train;
    expect(largestDifference(logitsOf(outputs), logits_f64.flat())).toBeLessThan(
      tolerance(model, 'train logits (abs)'),
    );
    const loss = (outputs.loss?.data[0] as number) - losses.ce_logits_smoothing_0.f64;
    expect(Math.abs(loss)).toBeLessThan(tolerance(model, 'train losses (abs)'));
    const [plain] = gradients;
    const worst = await worstNorm(store, plain?.params ?? [], plain?.all_params_l2_f64 ?? 0);
    expect(worst).toBeLessThan(tolerance(model, 'train gradients, L2 norms (relative)'));
    for (const { name, first4_f64 } of statistics.tensors) {
      const { data } = await store.read(ours.get(name) as string);
      expect(largestDifference(data as Float32Array, first4_f64), name).toBeLessThan(1e-3);
    }
    store.release();
  });

  it('gives its loss with label smoothing, without merged siblings and by libtorch’s own operators too', async () => {
    const options = { labelSmoothing: 0.1, passes: { mergeSiblings: false }, kernels: 'aten' } as const;
    const { store, outputs } = await step(options, { labels });
    const { gradients, losses } = expected.train;
    const loss = (outputs.loss?.data[0] as number) - losses['ce_logits_smoothing_0.1'].f64;
    expect(Math.abs(loss)).toBeLessThan(tolerance(model, 'train losses (abs)'));
    const smoothed = gradients[1];
    const worst = await worstNorm(store, smoothed?.params ?? [], smoothed?.all_params_l2_f64 ?? 0);
    expect(worst).toBeLessThan(tolerance(model, 'train gradients, L2 norms (relative)'));
    store.release();
  });

  it('gives its gradients of an early stage in training', async () => {
    const { loss, loss_f64, params } = expected.train.gradients_shallow;
    const stage = /'([^']+)'/.exec(loss)?.[1] as string;
    const endpoint = timmStages(graph, 'cadene').get(stage) as string;
    const node = graph.nodes[graph.endpoints.get(endpoint) as number] as Node;
    const projection = goldenProjection(stage, 2 * elementCount(node.shape));
    const { store, outputs } = await step({ projectEndpoint: endpoint }, { projection });
    expect(Math.abs((outputs.loss?.data[0] as number) - loss_f64)).toBeLessThan(1e-4);
    const within = tolerance(model, 'train gradients_shallow, L2 norms (relative)');
    expect(await worstNorm(store, params, 1)).toBeLessThan(within);
    store.release();
  });
});
