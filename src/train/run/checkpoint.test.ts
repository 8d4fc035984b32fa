import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest } from '../../../test/digest.ts';
import { type Optimizer, scalarInputs, usualOptimizers } from '../../compile/optimizers/optimizers.ts';
import { compileTraining } from '../../compile/training/compile-training.ts';
import type { Store } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { parametersOf } from '../../graph/graph.ts';
import { initialise } from '../../model/initialise.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { restoreCheckpoint, saveCheckpoint } from './checkpoint.ts';
import type { TrainingState } from './training-state.ts';

const engine = openTorch({ device: 'cpu', threads: 1 });
const options = { width: 0.05, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75, classes: 4 };
const graph = buildGraph(configure(findNetwork('inception-resnet-v1'), options));
const start: TrainingState = {
  position: { step: 2, epoch: 0, position: 2, elapsedSeconds: 1 },
  window: { steps: 2, loss: 2.7, wrong: 3, gradientNorm: 1.1, zeroShare: 0.5, elapsed: 9.5, waited: 0.25 },
  deadSteps: 1,
};
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

async function open(optimizer: Optimizer, clipNorm?: number) {
  const compiled = compileTraining(graph, {
    batch: 2,
    precision: 'float32',
    optimizer,
    weightDecay: 0.01,
    labelSmoothing: 0,
    auxiliaryLossWeight: 0,
    batchNormMomentum: 0.01,
    clipNorm,
  });
  const store = await engine.createStore(compiled.store);
  const program = await engine.load(compiled.step, store);
  const step = (number: number) =>
    program.run({
      images: Uint8Array.from({ length: 2 * 75 * 75 * 3 }, (_, index) => (index * 37 + number * 11) % 256),
      labels: BigInt64Array.of(1n, 3n),
      learningRate: Float32Array.of(0.01),
      averageDecay: Float32Array.of(0.5),
      ...scalarInputs(optimizer, number),
    });
  return { store, step };
}

const valuesOf = async (store: Store) =>
  Promise.all(
    parametersOf(graph).map(async ({ name }) => [
      name,
      digest((await store.read(name)).data),
      await store.read(`averages/${name}`).then(
        ({ data }) => digest(data),
        () => undefined,
      ),
    ]),
  );

describe('a checkpoint', () => {
  it.each(Object.values(usualOptimizers))('continues $kind bit for bit', async (optimizer) => {
    const path = join(folder, `${optimizer.kind}.safetensors`);
    const first = await open(optimizer);
    await initialise(first.store, graph, { seed: 1 });
    await first.step(1);
    await first.step(2);
    await saveCheckpoint(path, { store: first.store, graph, optimizer, state: start, metadata: {} });
    const before = await valuesOf(first.store);
    const { loss } = await first.step(3);
    const second = await open(optimizer);
    expect(await restoreCheckpoint(path, { store: second.store, graph, optimizer })).toEqual(start);
    expect(await valuesOf(second.store)).toEqual(before);
    expect((await second.step(3)).loss).toEqual(loss);
    const after = await valuesOf(second.store);
    expect(after).toEqual(await valuesOf(first.store));
    expect(after).not.toEqual(before);
  });

  it('is refused for another optimiser', async () => {
    const { store } = await open(usualOptimizers.sgd);
    const path = join(folder, 'other.safetensors');
    const optimizer = usualOptimizers.sgd;
    await saveCheckpoint(path, { store, graph, optimizer, state: start, metadata: {} });
    await expect(restoreCheckpoint(path, { store, graph, optimizer: usualOptimizers.adamw })).rejects.toThrow(
      /other\.safetensors: a checkpoint of sgd, expected one of adamw; resume with the optimiser the run was started with$/,
    );
  });

  it.each(Object.values(usualOptimizers))(
    'of $kind is the same whether weights are updated early or, with clipping, at the end',
    async (optimizer) => {
      const [early, late] = await Promise.all([open(optimizer), open(optimizer, 1e9)]);
      for (const { store } of [early, late]) await initialise(store, graph, { seed: 1 });
      for (const { step } of [early, late]) await step(1);
      expect(await valuesOf(late.store)).toEqual(await valuesOf(early.store));
    },
  );
});
