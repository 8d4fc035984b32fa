/**
 * Ten steps of fine-tuning against PyTorch: frozen up to a part at two places, and learning rates that decay by part, as timm groups
 * them. fixtures/fine-tuning/make.py wrote the expected values.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Optimizer, scalarInputs, usualOptimizers } from '../../src/compile/optimizers/optimizers.ts';
import { compileTraining } from '../../src/compile/training/compile-training.ts';
import { namesIn } from '../../src/ecosystems/dialects.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { type Graph, parametersOf } from '../../src/graph/graph.ts';
import { freeze, frozenNames } from '../../src/graph/parts.ts';
import { startAverages } from '../../src/model/initialise.ts';
import { configure, findNetwork } from '../../src/networks/networks.ts';
import { sampleValues } from '../sample-model.ts';
import { readFixture } from './fixture.ts';
import { goldenImages } from './prng.ts';
import { channelsLast } from './reference.ts';

interface Case {
  readonly about: string;
  readonly freeze: string | null;
  readonly layerDecay: number | null;
  readonly optimizer: 'sgd' | 'adamw';
  readonly learningRate: number;
  readonly losses: readonly number[];
  readonly tolerances: { readonly loss: number; readonly change: number; readonly norm: number };
  /** Number of tensors that stay as they were. */
  readonly unchanged: number;
  /** Norm of the change, and the change of the first value, by torchvision's names. */
  readonly changes: Readonly<Record<string, readonly [norm: number, first: number]>>;
}

const fixture = readFixture<{
  readonly input: readonly [batch: number, height: number, width: number, channels: number];
  readonly labels: readonly number[];
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly batchNormMomentum: number;
  readonly cases: readonly Case[];
}>('fine-tuning/steps.json');

const [batch, side] = fixture.input;

const whole = buildGraph(
  configure(findNetwork('inception-v3'), {
    width: 0.25,
    inputSize: side,
    classes: 5,
    blocks: { A: 2, B: 2, C: 1 },
    countPadding: true,
    gamma: true,
    dropoutKeep: 1,
  }),
);

/** By our names: blocks that the fixture leaves out are missing in torchvision's numbering. */
const theirs = namesIn('torchvision', whole);

const values = new Map(
  parametersOf(whole).map((parameter) => [
    parameter.name,
    sampleValues({ ...parameter, name: theirs.get(parameter.name) as string }),
  ]),
);

const optimizers: Readonly<Record<Case['optimizer'], Optimizer>> = {
  sgd: { kind: 'sgd', momentum: 0.9, nesterov: false },
  adamw: { ...usualOptimizers.adamw, epsilon: 1e-3 } as Optimizer,
};

let engine: Engine;
beforeAll(() => {
  engine = openTorch({ device: 'cpu' });
});
afterAll(() => engine.close());

async function train(
  graph: Graph,
  { optimizer: kind, learningRate, layerDecay, losses: { length } }: Case,
  kernels: 'native' | 'aten',
) {
  const optimizer = optimizers[kind];
  const {
    store: spec,
    step,
    prepare,
  } = compileTraining(graph, {
    batch,
    precision: 'float32',
    images: 'float32',
    optimizer,
    weightDecay: fixture.weightDecay,
    labelSmoothing: fixture.labelSmoothing,
    auxiliaryLossWeight: 0,
    batchNormMomentum: fixture.batchNormMomentum,
    clipNorm: undefined,
    layerDecay: layerDecay ?? undefined,
    kernels,
  });
  const store = await engine.createStore(spec);
  for (const [name, tensor] of values) await store.write(name, tensor);
  await startAverages(store);
  if (prepare) await (await engine.load(prepare, store)).run({});
  const loaded = await engine.load(step, store);
  const losses: number[] = [];
  const images = channelsLast(goldenImages(side, batch), side);
  for (let index = 0; index < length; index++) {
    const outputs = await loaded.run({
      images,
      labels: BigInt64Array.from(fixture.labels, BigInt),
      learningRate: Float32Array.of(learningRate),
      averageDecay: Float32Array.of(0),
      ...scalarInputs(optimizer, index + 1),
    });
    losses.push(Number(outputs.loss?.data[0]));
  }
  const after = new Map<string, Float32Array>();
  for (const name of values.keys()) after.set(name, (await store.read(name)).data as Float32Array);
  loaded.release();
  store.release();
  return { losses, after };
}

const norm = (numbers: Float32Array) => Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0));

describe.each(['native', 'aten'] as const)('with %s operators, ten steps', (kernels) => {
  it.each(fixture.cases)('$about give PyTorch’s losses and weights', async (expected) => {
    const graph = expected.freeze === null ? whole : freeze(whole, expected.freeze);
    const { losses, after } = await train(graph, expected, kernels);
    losses.forEach((loss, index) => {
      const difference = Math.abs(loss - (expected.losses[index] as number));
      expect(difference, `loss of step ${index + 1}`).toBeLessThan(expected.tolerances.loss);
    });
    const frozen = frozenNames(graph);
    expect(frozen.size).toBe(expected.unchanged);
    for (const [name, before] of values) {
      const now = after.get(name) as Float32Array;
      if (frozen.has(name))
        expect(Buffer.from(now.buffer).equals(Buffer.from(before.buffer)), name).toBe(true);
      const change = now.map((value, index) => value - (before[index] as number));
      const [length, first] = expected.changes[theirs.get(name) as string] ?? [];
      if (length === undefined || first === undefined) continue;
      expect(Math.abs(norm(change) / length - 1), `${name}: norm`).toBeLessThan(expected.tolerances.norm);
      const difference = Math.abs((change[0] as number) - first) / length;
      expect(difference, `${name}: first value`).toBeLessThan(expected.tolerances.change);
    }
  });
});
