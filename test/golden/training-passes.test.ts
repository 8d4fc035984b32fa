/**
 * Every pass of the training compiler against the same step without it: weights, averages, momentum and outputs. What only moves work about must give the same bits; what computes in another order, the same up to rounding.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingOptions } from '../../src/compile/options.ts';
import { compileTraining } from '../../src/compile/training/compile-training.ts';
import type { Engine, HostTensor } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { type Graph, parametersOf } from '../../src/graph/graph.ts';
import { initialise } from '../../src/model/initialise.ts';
import { configure, findNetwork } from '../../src/networks/networks.ts';
import { digest } from '../digest.ts';

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

const batch = 6;
const common: TrainingOptions = {
  batch,
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

/**
 * Where a value before a ReLU rounds to the other side of zero, a gradient changes by itself: the reference implementations
 * differ among themselves by up to 2.4% (test/fixtures/tolerances.json). A wrong gradient differs by about 1.
 */
const rounding = 0.03;

interface Trained {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly stored: ReadonlyMap<string, Float32Array>;
}

async function train(graph: Graph, options: Partial<TrainingOptions>, { steps = 2 } = {}): Promise<Trained> {
  const { store: spec, step } = compileTraining(graph, { ...common, ...options });
  const store = await engine.createStore(spec);
  await initialise(store, graph, { seed: 7 });
  const loaded = await engine.load(step, store);
  const [height, width, channels] = graph.network.input;
  const images = Float32Array.from({ length: batch * height * width * channels }, (_, index) => {
    const noise = Math.sin(index * 12.9898) * 43758.5453;
    return 2 * (noise - Math.floor(noise)) - 1;
  });
  let outputs: Record<string, HostTensor> = {};
  for (let run = 0; run < steps; run++) {
    outputs = await loaded.run({
      images,
      labels: BigInt64Array.from([1n, 4n, 2n, 0n, 3n, 1n]),
      learningRate: new Float32Array([0.01]),
      averageDecay: new Float32Array([0.5]),
    });
  }
  const stored = new Map<string, Float32Array>();
  for (const { name, role } of parametersOf(graph)) {
    const statistic = role === 'movingMean' || role === 'movingVariance';
    const names = statistic
      ? [name]
      : ['', 'averages/', 'momentum/', 'meanSquare/'].map((kind) => kind + name);
    for (const each of names) stored.set(each, (await store.read(each)).data as Float32Array);
  }
  loaded.release();
  store.release();
  const number = (name: string) => Number(outputs[name]?.data[0]);
  return { loss: number('loss'), gradientNorm: number('gradientNorm'), stored };
}

const digestOf = (stored: Trained['stored'], name: string) => digest(stored.get(name) as Float32Array);

/** Largest norm of the difference relative to the tensor's norm, over all tensors. */
function difference(one: Trained, other: Trained): number {
  let worst = Math.abs(one.loss / other.loss - 1);
  worst = Math.max(worst, Math.abs(one.gradientNorm / other.gradientNorm - 1));
  for (const [name, values] of one.stored) {
    const others = other.stored.get(name) as Float32Array;
    let [apart, all] = [0, 0];
    values.forEach((value, index) => {
      apart += (value - (others[index] as number)) ** 2;
      all += value ** 2;
    });
    worst = Math.max(worst, Math.sqrt(apart / Math.max(all, 1e-12)));
  }
  return worst;
}

const graphs = [
  ['inception-v3', { auxiliary: true, inputSize: 139 }],
  ['inception-v4', { inputSize: 139 }],
  ['inception-resnet-v1', { inputSize: 139 }],
  ['inception-resnet-v2-released', { inputSize: 139 }],
  ['inception-resnet-v2', { inputSize: 139, shortcuts: false }],
  ['inception-resnet-v1', { inputSize: 139, sumNorm: 'all' }],
] as const;

describe.each(graphs)('a training step of %s', (name, options) => {
  const blocks = { A: 1, B: 1, C: 1 };
  const graph = buildGraph(configure(findNetwork(name), { ...options, blocks, width: 0.25, classes: 5 }));
  let reference: Trained;
  let once: Trained;
  beforeAll(async () => {
    reference = await train(graph, {});
    once = await train(graph, {}, { steps: 1 });
  });

  it.each([
    ['computing results again', { passes: { recompute: true } }],
    ['clipping at a norm that is never reached', { clipNorm: 1e9 }],
    ['updating everything at the end', { passes: { updateImmediately: false } }],
  ])('gives the same bits when %s', async (_, change) => {
    const { stored, loss } = await train(graph, change);
    expect(loss).toBe(reference.loss);
    for (const [each, values] of stored) {
      const other = reference.stored.get(each) as Float32Array;
      expect(Buffer.from(values.buffer).equals(Buffer.from(other.buffer)), each).toBe(true);
    }
  });

  it.each(['mergeSiblings', 'exchangePooling', 'fuseNormRelu', 'fuseSumRelu', 'placeInConcat'] as const)(
    'gives the same up to rounding without the pass %s',
    async (pass) => {
      expect(difference(await train(graph, { passes: { [pass]: false } }, { steps: 1 }), once)).toBeLessThan(
        rounding,
      );
    },
  );

  it('gives the same up to rounding with libtorch’s operators alone', async () => {
    expect(difference(await train(graph, { kernels: 'aten' }, { steps: 1 }), once)).toBeLessThan(rounding);
  });

  it('keeps no averages if they are off: they equal the weights', async () => {
    const { stored, loss } = await train(graph, { averages: false });
    expect(loss).toBe(reference.loss);
    for (const { name: each, role } of parametersOf(graph)) {
      if (role === 'movingMean' || role === 'movingVariance') continue;
      const weights = digestOf(stored, each);
      expect(digestOf(stored, `averages/${each}`), each).toBe(weights);
      expect(weights, each).toBe(digestOf(reference.stored, each));
    }
  });
});
