/** The compiled step of a very small network, run by the engine: its arithmetic by hand, and what it leaves alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest } from '../../test/digest.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import type { Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { isStatistic, parametersOf } from '../graph/graph.ts';
import { initialise } from '../model/initialise.ts';
import { configure, findNetwork } from '../networks/networks.ts';

let engine: Engine;

beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

describe('the training step', () => {
  const graph = buildGraph(
    configure(findNetwork('inception-resnet-v2'), {
      width: 0.125,
      blocks: { A: 1, B: 1, C: 1 },
      inputSize: 75,
      classes: 10,
    }),
  );
  const options = {
    batch: 8,
    optimizer: { decay: 0.9, epsilon: 1, momentum: 0.9 },
    weightDecay: 4e-5,
    labelSmoothing: 0.1,
    auxiliaryLossWeight: 0.4,
    batchNormMomentum: 0.1,
    clipNorm: undefined,
  };
  const inputs = () => ({
    images: Uint8Array.from({ length: 8 * 75 * 75 * 3 }, (_, index) => (index * 31) % 251),
    labels: BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n),
    learningRate: Float32Array.of(0.05),
    averageDecay: Float32Array.of(0.9),
  });

  async function open(extra: Partial<Parameters<typeof compileTraining>[1]> = {}) {
    const compiled = compileTraining(graph, { ...options, precision: 'float32', ...extra });
    const store = await engine.createStore(compiled.store);
    await initialise(store, graph, { seed: 1 });
    return { store, step: await engine.load(compiled.step, store) };
  }

  it('does not grow in memory over 100 steps', async () => {
    const { store, step } = await open({ batch: 2 });
    const batch = {
      ...inputs(),
      images: inputs().images.subarray(0, 2 * 75 * 75 * 3),
      labels: BigInt64Array.of(0n, 1n),
    };
    for (let index = 0; index < 30; index++) await step.run(batch);
    const before = process.memoryUsage.rss();
    for (let index = 0; index < 100; index++) await step.run(batch);
    expect(process.memoryUsage.rss() - before).toBeLessThan(16e6);
    store.release();
  });

  it('updates weights, mean squares and averages as TensorFlow’s RMSProp does', async () => {
    const { store, step } = await open({ dropout: false });
    const frozen = await open({ dropout: false, update: false });
    const name = 'reductionA/branch1/conv2/weight';
    const read = async (source: typeof store, key: string) => (await source.read(key)).data as Float32Array;
    const weights = await read(store, name);
    await step.run(inputs());
    const { learningRate, averageDecay, ...forGradient } = inputs();
    await frozen.step.run(forGradient);
    const gradients = await read(frozen.store, `gradient/${name}`);
    const [after, meanSquare, averages] = [
      await read(store, name),
      await read(store, `meanSquare/${name}`),
      await read(store, `averages/${name}`),
    ];
    const furthest = [0, 0, 0];
    const apart = (which: number, actual: number, expected: number) => {
      furthest[which] = Math.max(furthest[which] as number, Math.abs(actual - expected));
    };
    weights.forEach((weight, index) => {
      const gradient = (gradients[index] as number) + 4e-5 * weight;
      const square = 0.9 + 0.1 * gradient * gradient;
      const moved = weight - (0.05 * gradient) / Math.sqrt(square + 1);
      apart(0, meanSquare[index] as number, square);
      apart(1, after[index] as number, moved);
      apart(2, averages[index] as number, weight + 0.1 * (moved - weight));
    });
    // Also of a NaN, which Math.max keeps.
    for (const each of furthest) expect(each).toBeLessThan(1e-6);
  });

  it('moves the statistics by an input as by a constant, and leaves everything else alone', async () => {
    const constant = await open();
    const input = await open({ batchNormMomentum: 'input' });
    for (const momentum of [0.1, 0.1]) {
      await constant.step.run(inputs());
      await input.step.run({ ...inputs(), batchNormMomentum: Float32Array.of(momentum) });
    }
    for (const parameter of parametersOf(graph)) {
      const [expected, actual] = await Promise.all(
        [constant, input].map(async ({ store }) => (await store.read(parameter.name)).data as Float32Array),
      );
      if (!isStatistic(parameter))
        expect(digest(actual as Float32Array), parameter.name).toBe(digest(expected as Float32Array));
      else
        expected?.forEach((value, index) => {
          expect(Math.abs((actual?.[index] as number) - value)).toBeLessThan(
            1e-5 * Math.max(1, Math.abs(value)),
          );
        });
    }
  });

  it('clips the gradient by its global norm', async () => {
    const { store, step } = await open({
      dropout: false,
      clipNorm: 0.01,
      weightDecay: 0,
      optimizer: { decay: 0, epsilon: 1e6, momentum: 0 },
    });
    const trainable = parametersOf(graph).filter((parameter) => !isStatistic(parameter));
    const values = async () =>
      Promise.all(trainable.map(async ({ name }) => (await store.read(name)).data as Float32Array));
    const before = await values();
    const outputs = await step.run({ ...inputs(), learningRate: Float32Array.of(1e5) });
    const after = await values();
    let squares = 0;
    before.forEach((array, index) => {
      array.forEach((value, offset) => {
        squares += ((after[index]?.[offset] as number) - value) ** 2;
      });
    });
    expect(outputs.gradientNorm?.data[0]).toBeGreaterThan(0.01);
    // The step is rate · gradient / sqrt(1e6): a hundred times the clipped gradient.
    expect(Math.sqrt(squares) / 100).toBeCloseTo(0.01, 4);
  });

  it('agrees closely with float32 in bfloat16', async () => {
    const [full, half] = [
      await open({ dropout: false }),
      await open({ dropout: false, precision: 'bfloat16' }),
    ];
    const [exact, rounded] = [await full.step.run(inputs()), await half.step.run(inputs())];
    const loss = exact.loss?.data[0] as number;
    expect(Math.abs((rounded.loss?.data[0] as number) - loss) / loss).toBeLessThan(0.03);
    const norm = exact.gradientNorm?.data[0] as number;
    expect(Math.abs((rounded.gradientNorm?.data[0] as number) - norm) / norm).toBeLessThan(0.1);
  });
});
