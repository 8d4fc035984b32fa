/** Expected numbers are of the blocks' inputs and outputs as `loadModel`'s kind of program returns them, whole, added up here. */
import { afterAll, describe, expect, it } from 'vitest';
import { compileInference } from '../../compile/inference/compile-inference.ts';
import type { Dataset } from '../../data/dataset.ts';
import { openTorch } from '../../engine/torch.ts';
import { inputBytes, preprocess, standardPreprocessing } from '../../images/preprocess.ts';
import { graphOf } from '../../model/description.ts';
import { initialise } from '../../model/initialise.ts';
import type { NetworkOptions } from '../../networks/network-options.ts';
import { planPredictor } from '../../predict/torch-predictor.ts';
import { randomFor } from '../../random.ts';
import { watchResiduals } from './residuals.ts';

const engine = openTorch({ device: 'cpu', threads: 1 });
afterAll(() => engine.close());

const preprocessing = standardPreprocessing([75, 75], { crop: 1 });
const count = 3;
const random = randomFor(1);
const images = Array.from({ length: count }, () => ({
  ...{ width: 75, height: 75, channels: 3 as const },
  data: Uint8Array.from({ length: 75 * 75 * 3 }, () => 256 * random()),
}));
const dataset: Dataset = {
  name: 'noise',
  length: count,
  classes: ['a', 'b'],
  label: () => 0,
  image: (index) => images[index] as (typeof images)[0],
  nameOf: String,
};

async function open(network: string, options: NetworkOptions) {
  const graph = graphOf({
    network,
    options: { width: 0.125, inputSize: 75, blocks: { A: 2, B: 1, C: 1 }, classes: 2, ...options },
  });
  const common = { precision: 'float32', parameters: 'averages', kernels: engine.facts.kernels } as const;
  const plan = planPredictor(graph, { ...common, batch: 1 });
  const store = await engine.createStore(plan.spec);
  await initialise(store, graph, { seed: 1 });
  const predictor = await plan.open(engine, store);
  await predictor.refresh();
  const watch = watchResiduals(graph, {
    engine,
    store,
    configuration: { precision: 'float32', preprocessing },
    dataset,
  });
  return { graph, common, store, predictor, watch };
}

describe('residual blocks', () => {
  it('are told by the norm of what they add and by the zeros that leave them', async () => {
    const { graph, common, store, predictor, watch } = await open('inception-resnet-v2', {
      residualScale: 0.2,
    });
    const seen = await watch.look();
    expect(seen?.map(({ block }) => block)).toEqual([
      'inceptionResnetA/0',
      'inceptionResnetA/1',
      'inceptionResnetB/0',
      'inceptionResnetC/0',
    ]);
    const sum = graph.nodes.find(({ op, path }) => op === 'scaledAdd' && path === 'inceptionResnetA/1');
    const endpoints = ['inceptionResnetA/0', 'added', 'inceptionResnetA/1'];
    const named = new Map([...graph.endpoints, ['added', sum?.inputs[1] ?? -1] as const]);
    const { predict } = compileInference(
      { ...graph, endpoints: named },
      { ...common, batch: count, endpoints },
    );
    const bytes = new Uint8Array(count * inputBytes(preprocessing));
    for (const [index, image] of images.entries())
      preprocess(image, preprocessing, bytes, index * inputBytes(preprocessing));
    const program = await engine.load(predict, store);
    const outputs = await program.run({ images: bytes });
    const [before, added, after] = endpoints.map((name) => Array.from(outputs[name]?.data ?? [], Number));
    const zeros = after?.filter((value) => value === 0) ?? [];
    expect(seen?.[1]?.zeroShare).toBeCloseTo(zeros.length / (after?.length ?? 0), 6);
    expect(seen?.[1]?.residualRatio).toBeCloseTo(
      Math.hypot(...(added ?? [])) / Math.hypot(...(before ?? [])),
      4,
    );
    for (const each of [program, watch, predictor, store]) each.release();
  });

  it('add twice as much at twice the scale, to the same input', async () => {
    const ratios: (number | null | undefined)[] = [];
    for (const residualScale of [0.1, 0.2]) {
      const { watch, predictor, store } = await open('inception-resnet-v1', { residualScale });
      ratios.push((await watch.look())?.[0]?.residualRatio);
      for (const each of [watch, predictor, store]) each.release();
    }
    expect((ratios[1] ?? 0) / (ratios[0] ?? 1)).toBeCloseTo(2, 4);
  });

  it('are not there in a network without shortcuts', async () => {
    const { watch, predictor, store } = await open('inception-resnet-v2', { shortcuts: false });
    expect(await watch.look()).toBeUndefined();
    for (const each of [watch, predictor, store]) each.release();
  });
});
