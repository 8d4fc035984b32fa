/** A training step gives the same bits with and without each program pass, on the engine and with the real list of passes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Passes, TrainingOptions } from '../../src/compile/options.ts';
import { compileTraining } from '../../src/compile/training/compile-training.ts';
import { trainingProgramPasses } from '../../src/compile/training/training-passes.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { type Graph, isStatistic, parametersOf } from '../../src/graph/graph.ts';
import { initialise } from '../../src/model/initialise.ts';
import { configure, findNetwork } from '../../src/networks/networks.ts';
import {
  conv,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
} from '../../src/networks/notation.ts';

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

const common: TrainingOptions = {
  batch: 4,
  precision: 'float32',
  images: 'float32',
  optimizer: { decay: 0.9, epsilon: 0.01, momentum: 0.9 },
  weightDecay: 4e-5,
  labelSmoothing: 0.1,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 0.1,
  clipNorm: undefined,
  dropout: false,
};

/** Every parameter and its average after two steps. */
async function train(
  graph: Graph,
  options: Partial<TrainingOptions>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const { store: spec, step } = compileTraining(graph, { ...common, ...options });
  const store = await engine.createStore(spec);
  await initialise(store, graph, { seed: 7 });
  const loaded = await engine.load(step, store);
  const [height, width, channels] = graph.network.input;
  const length = common.batch * height * width * channels;
  const images = Float32Array.from({ length }, (_, index) => Math.sin(index * 12.9898));
  for (let run = 0; run < 2; run++) {
    const rates = { learningRate: new Float32Array([0.01]), averageDecay: new Float32Array([0.5]) };
    await loaded.run({ images, labels: BigInt64Array.from([1n, 4n, 2n, 0n]), ...rates });
  }
  const stored = new Map<string, Float32Array>();
  for (const parameter of parametersOf(graph)) {
    const names = isStatistic(parameter) ? [parameter.name] : [parameter.name, `averages/${parameter.name}`];
    for (const name of names) stored.set(name, (await store.read(name)).data as Float32Array);
  }
  loaded.release();
  store.release();
  return stored;
}

const blocks = { A: 1, B: 1, C: 1 };
const small = { inputSize: 139, blocks, width: 0.25, classes: 5 };

function expectSameBits(
  one: ReadonlyMap<string, Float32Array>,
  other: ReadonlyMap<string, Float32Array>,
): void {
  for (const [name, values] of one) {
    const others = other.get(name) as Float32Array;
    expect(Buffer.from(values.buffer).equals(Buffer.from(others.buffer)), name).toBe(true);
  }
}

/** Without the pass, or with it if it is off for a small network. */
const changed = (name: string): Passes => ({ [name]: name === 'recompute' });

describe.each(['inception-v4', 'inception-resnet-v1'])('a training step of %s', (network) => {
  const graph = buildGraph(configure(findNetwork(network), small));
  let reference: ReadonlyMap<string, Float32Array>;
  beforeAll(async () => {
    reference = await train(graph, {});
  });

  it.each(trainingProgramPasses.map(({ name }) => name))(
    'has the same bits without the pass %s',
    async (name) => {
      expectSameBits(await train(graph, { passes: changed(name) }), reference);
    },
  );

  it('has the same bits without any pass', async () => {
    const none: Passes = Object.fromEntries(trainingProgramPasses.map(({ name }) => [name, false]));
    expectSameBits(await train(graph, { passes: none }), reference);
  });
});

/** Convolutions without native kernels, between those with them. */
const grouped: Network = {
  name: 'grouped',
  about: 'convolutions in groups',
  input: [17, 17, 8],
  classes: 5,
  layers: {
    first: conv('3x3', 16),
    block: filterConcat(
      [conv('3x3', 16, undefined, { groups: 4 })],
      [conv('1x1', 8), conv('3x3', 8, undefined, { groups: 8 })],
    ),
    pooling: maxPool('3x3', 'stride 2 V'),
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
};

describe.each(['float32', 'bfloat16'] as const)('grouped and depthwise convolutions in %s', (precision) => {
  it('are trained the same with mixed operators as with libtorch’s alone', async () => {
    const graph = buildGraph(configure(grouped));
    const ours = await train(graph, { precision });
    const theirs = await train(graph, { precision, kernels: 'aten' });
    for (const [name, values] of ours) {
      const others = theirs.get(name) as Float32Array;
      const [apart, all] = values.reduce<readonly [number, number]>(
        ([distance, size], value, index) => [
          distance + (value - (others[index] as number)) ** 2,
          size + value ** 2,
        ],
        [0, 1e-12],
      );
      expect(Math.sqrt(apart / all), name).toBeLessThan(precision === 'float32' ? 1e-4 : 0.02);
    }
  });
});
