/** How fast this machine trains: a few steps of a small network, from which times of experiments are estimated. */
import { compileTraining } from '../compile/training/compile-training.ts';
import type { EngineFacts } from '../engine/engine.ts';
import { choosePrecision } from '../engine/precision.ts';
import { openTorch } from '../engine/torch.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { initialise } from '../model/initialise.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { trainingMacs } from '../train/estimate/work.ts';
import { resolveRecipe, stepOptionsOf } from '../train/recipe/recipe.ts';

export interface Speed {
  /** Of training, forward and backward pass. */
  readonly macsPerSecond: number;
  readonly device: EngineFacts['device'];
}

const batch = 32;
const [untimed, timed] = [1, 3];

/** The network is about as large as those of the scales `minutes` and `hours`: small networks use a machine less well than large ones. */
export async function measureSpeed(): Promise<Speed> {
  const engine = openTorch({ device: 'auto' });
  try {
    const graph = buildGraph(
      configure(findNetwork('inception-resnet-v2'), {
        ...{ width: 0.25, inputSize: 75, classes: 10 },
        blocks: { A: 2, B: 3, C: 2 },
      }),
    );
    const recipe = resolveRecipe('small-data', { batch });
    const { store: spec, step } = compileTraining(graph, {
      ...stepOptionsOf(recipe),
      precision: choosePrecision('auto', engine.facts),
      kernels: engine.facts.kernels,
    });
    const store = await engine.createStore(spec);
    await initialise(store, graph, { seed: 1 });
    const loaded = await engine.load(step, store);
    const inputs = {
      images: new Uint8Array(batch * 75 * 75 * 3).map((_, index) => (index * 31) % 251),
      labels: BigInt64Array.from({ length: batch }, (_, index) => BigInt(index % 10)),
      learningRate: Float32Array.of(1e-3),
      averageDecay: Float32Array.of(0.9),
      batchNormMomentum: Float32Array.of(0.1),
    };
    for (let index = 0; index < untimed; index++) await loaded.run(inputs);
    const begin = performance.now();
    for (let index = 0; index < timed; index++) await loaded.run(inputs);
    const seconds = (performance.now() - begin) / 1000;
    return { macsPerSecond: (timed * batch * trainingMacs(graph)) / seconds, device: engine.facts.device };
  } finally {
    await engine.close();
  }
}
