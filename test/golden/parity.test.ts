/**
 * The same results as the other implementations with reproducible weights, in float32 and within the tolerances recommended
 * by tolerances.json. The smallest typical bug changes the logits a thousand times more (sensitivity in
 * test/fixtures/README.md). `npm run parity` writes the measurements to docs/parity.md. INCEPTION_DEVICE=cuda tests a CUDA
 * device (scripts/cuda.mjs).
 */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, HostTensor, Store } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { elementCount, type Node } from '../../src/graph/graph.ts';
import {
  type GoldenModel,
  type GradientNorm,
  goldenModels,
  type TrainExpected,
  tolerance,
} from './fixture.ts';
import { record, writeParityPage } from './parity-page.ts';
import { goldenProjection } from './prng.ts';
import { Reference } from './reference.ts';

const largestDifference = (actual: ArrayLike<number>, expected: readonly number[]): number =>
  expected.reduce((worst, value, index) => Math.max(worst, Math.abs((actual[index] as number) - value)), 0);

const norm = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] as number) ** 2;
  return Math.sqrt(sum);
};

/** [n, c, h, w] as [n, h, w, c], as TensorFlow's implementations flatten a stage. */
function channelsLastStage(tensor: HostTensor): HostTensor {
  const { data, shape } = tensor;
  const [n = 1, c = 1, h = 1, w = 1] = shape;
  if (shape.length < 4) return tensor;
  const result = new Float32Array(data.length);
  for (let index = 0; index < data.length; index++) {
    const [image, channel, pixel] = [
      Math.floor(index / (c * h * w)),
      Math.floor(index / (h * w)) % c,
      index % (h * w),
    ];
    result[(image * h * w + pixel) * c + channel] = Number(data[index]);
  }
  return { dtype: 'float32', data: result, shape: [n, h, w, c] };
}

const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

let engine: Engine;
beforeAll(() => {
  const { INCEPTION_DEVICE: device = 'cpu' } = process.env;
  if (device !== 'cpu' && device !== 'cuda')
    throw new Error(`INCEPTION_DEVICE: expected cpu or cuda, received '${device}'`);
  engine = openTorch({ device });
});
afterAll(async () => {
  await engine.close();
  await writeParityPage(engine.facts.libtorch);
});

const models = Object.keys(goldenModels) as GoldenModel[];

/** Models whose layers, but for an auxiliary head, are those of another one here: what a pass does to one, it does to both. */
const sameNetworks: ReadonlySet<GoldenModel> = new Set([
  'torchvision_inception_v3',
  'cadene_inceptionv4',
  'cadene_inceptionresnetv2',
  'keras_inception_v3',
  'keras_inception_resnet_v2',
]);

describe.each(models)('%s', (model) => {
  let reference: Reference;
  beforeAll(() => {
    reference = new Reference(model, engine);
  });
  afterAll(() => {
    // Releases a hundred megabytes of weights, which vitest's closures would keep until the last model.
    reference = undefined as never;
  });

  const data = (outputs: Record<string, HostTensor>, name: string): Float32Array =>
    outputs[name]?.data as Float32Array;

  /** The fixture's name of the output: logits, or the embedding of a network without a classifier. */
  const result = () => {
    const { logits_f64, embedding_f64 } = reference.expected.eval;
    return logits_f64
      ? { output: 'logits', name: 'eval logits (abs)', values: logits_f64 }
      : { output: 'features', name: 'eval embedding (abs)', values: embedding_f64 ?? [] };
  };

  /** Largest relative difference of the gradients' norms; one that must vanish is relative to the norm of all. */
  async function worstNorm(store: Store, params: readonly GradientNorm[], whole: number): Promise<number> {
    let worst = 0;
    for (const { name, l2_f64 } of params) {
      const gradient = await store.read(`gradient/${reference.ours.get(name)}`);
      const scale = l2_f64 < 1e-6 * whole ? whole : l2_f64;
      worst = Math.max(worst, Math.abs(norm(gradient.data as Float32Array) - l2_f64) / scale);
    }
    return worst;
  }

  /** Checks a difference against its tolerance and records it for the page. */
  function hold(what: string, measured: number, within = tolerance(model, what)): void {
    record({ model, what, measured, within });
    expect(measured, what).toBeLessThan(within);
  }

  it('gives its logits and every stage in evaluation, in a batch of 3 and one by one', async () => {
    const { stages = [], aux_logits_f64, embedding_f64 } = reference.expected.eval;
    const { output, name, values } = result();
    const endpoints = stages.map((stage) => reference.endpoint(stage.name));
    // The fixtures' two images and the next one.
    const images = reference.images(3);
    const all = await reference.predict(
      { batch: 3, endpoints: [...new Set([...endpoints, ...(aux_logits_f64 ? ['auxiliary/logits'] : [])])] },
      images,
    );
    const firstTwo = (name: string) => {
      const whole = data(all, name);
      return whole.subarray(0, (whole.length / 3) * 2);
    };
    let worst = 0;
    for (const stage of stages) {
      const tensor = all[reference.endpoint(stage.name)] as HostTensor;
      const { data: actual, shape } = reference.layout === 'torch' ? tensor : channelsLastStage(tensor);
      expect([2, ...shape.slice(1)].join().replaceAll(',1,1', ''), stage.name).toEqual(
        stage.shape.join().replaceAll(',1,1', ''),
      );
      const sampled = stage.indices.map((index) => Number(actual[index]));
      worst = Math.max(worst, largestDifference(sampled, stage.values));
    }
    if (stages.length > 0) hold('eval any stage value (abs)', worst);
    hold(name, largestDifference(firstTwo(output), values.flat()));
    if (aux_logits_f64)
      hold('eval aux_logits (abs)', largestDifference(firstTwo('auxiliary/logits'), aux_logits_f64.flat()));
    if (embedding_f64 && output === 'logits')
      hold('eval embedding (abs)', largestDifference(firstTwo('features'), embedding_f64.flat()));
    const single = await reference.open({ batch: 1 });
    const together = data(all, output);
    for (let index = 0; index < 3; index++) {
      const part = ({ length }: ArrayLike<number>): [number, number] => [
        (index * length) / 3,
        ((index + 1) * length) / 3,
      ];
      const one = data(await single.predict(images.subarray(...part(images))), output);
      const rows = [[...together.subarray(...part(together))], ...values.slice(index, index + 1)];
      for (const row of rows) expect(largestDifference(one, row)).toBeLessThan(tolerance(model, name));
    }
    single.close();
  });

  it('gives the same top-1 in bfloat16, and logits within 3%', async () => {
    const { output, values } = result();
    const outputs = data(await reference.predict({ precision: 'bfloat16' }), output);
    const expected = values.flat();
    const difference =
      norm(expected.map((value, index) => (outputs[index] as number) - value)) / norm(expected);
    hold('eval logits in bfloat16 (relative L2)', difference, 0.03);
    if (output === 'features') return;
    const width = outputs.length / 2;
    for (const [row, logits] of values.entries())
      expect(argmax([...outputs.subarray(row * width, (row + 1) * width)])).toBe(argmax(logits));
  });

  const passes = ['mergeSiblings', 'foldBatchNorm', 'foldResidualScale', 'fuseConvRelu'] as const;
  it.each(sameNetworks.has(model) ? [] : passes)(
    'gives the same in evaluation without the pass %s',
    async (pass) => {
      const without = { passes: { [pass]: false } };
      // A pass that finds nothing to do leaves the very program that the other tests hold to the fixture.
      if (isDeepStrictEqual(reference.program(without), reference.program())) return;
      const { output, name, values } = result();
      const outputs = await reference.predict(without);
      expect(largestDifference(data(outputs, output), values.flat())).toBeLessThan(tolerance(model, name));
    },
  );

  const [dialect] = goldenModels[model];
  // timm, Keras and facenet's TensorFlow fixtures have evaluation only.
  const trains = dialect !== 'timm' && dialect !== 'keras' && dialect !== 'tf-facenet';
  if (!trains) return;

  const labelsOf = ({ labels }: TrainExpected) => BigInt64Array.from(labels, BigInt);

  it('gives its gradients with frozen batch normalisation', async () => {
    const { gradients_frozen_bn: frozen, logits_f64 } = reference.expected.eval;
    if (!frozen || !logits_f64) throw new Error(`${model} has no gradients`);
    const labels = labelsOf(reference.expected.train as TrainExpected);
    const auxiliaryLossWeight = frozen.loss.includes('aux') ? 0.4 : 0;
    const { store, outputs } = await reference.step({ batchNorm: 'moving', auxiliaryLossWeight }, { labels });
    const auxiliary = auxiliaryLossWeight * Number(outputs.auxiliaryLoss?.data[0] ?? 0);
    expect(Math.abs((outputs.loss?.data[0] as number) + auxiliary - frozen.loss_f64)).toBeLessThan(2e-5);
    const what = 'gradients_frozen_bn, L2 norms (relative)';
    hold(what, await worstNorm(store, frozen.params, frozen.all_params_l2_f64));
    store.release();
  });

  it('gives its logits, losses, gradients and statistics in training', async () => {
    const expected = reference.expected.train as TrainExpected;
    const endpoints = ['logits', ...(expected.aux_logits_f64 ? ['auxiliary/logits'] : [])];
    const { store, outputs } = await reference.step({ endpoints }, { labels: labelsOf(expected) });
    hold('train logits (abs)', largestDifference(data(outputs, 'logits'), expected.logits_f64.flat()));
    const loss = (name: string) => Number(outputs[name]?.data[0]);
    const lossOf = (name: string) => (expected.losses[name] as { f64: number }).f64;
    hold('train losses (abs)', Math.abs(loss('loss') - lossOf('ce_logits_smoothing_0')));
    if (expected.aux_logits_f64) {
      const difference = largestDifference(data(outputs, 'auxiliary/logits'), expected.aux_logits_f64.flat());
      hold('train aux_logits (abs)', difference);
      const auxiliary = Math.abs(loss('auxiliaryLoss') - lossOf('ce_aux_logits_smoothing_0'));
      expect(auxiliary).toBeLessThan(tolerance(model, 'train losses (abs)'));
    }
    // A batch of two leaves two values per channel in facenet's last normalisation: its gradients are from a batch of four.
    const [plain] = expected.gradients;
    if (plain && !reference.expected.train_batch4) {
      const worst = await worstNorm(store, plain.params, plain.all_params_l2_f64);
      hold('train gradients, L2 norms (relative)', worst);
    }
    const statistics = expected.batch_norm_running_stats_after_this_one_step?.tensors ?? [];
    for (const { name, first4_f64 } of statistics) {
      const { data: values } = await store.read(reference.ours.get(name) as string);
      expect(largestDifference(values as Float32Array, first4_f64), name).toBeLessThan(1e-3);
    }
    store.release();
  });

  it('gives its second loss and gradients, also without merged siblings and with libtorch’s operators', async () => {
    const expected = reference.expected.train as TrainExpected;
    const gradients = expected.gradients[1];
    if (!gradients) throw new Error(`${model} has no second loss`);
    const withAuxiliary = gradients.loss.includes('aux');
    const { store, outputs } = await reference.step(
      {
        labelSmoothing: withAuxiliary ? 0 : 0.1,
        auxiliaryLossWeight: withAuxiliary ? 0.4 : 0,
        passes: { mergeSiblings: false },
        kernels: 'aten',
      },
      { labels: labelsOf(expected) },
    );
    const loss = (name: string) => Number(outputs[name]?.data[0]);
    const total = loss('loss') + (withAuxiliary ? 0.4 * loss('auxiliaryLoss') : 0);
    const truth = (expected.losses[gradients.loss] as { f64: number }).f64;
    expect(Math.abs(total - truth)).toBeLessThan(2 * tolerance(model, 'train losses (abs)'));
    if (!reference.expected.train_batch4) {
      const worst = await worstNorm(store, gradients.params, gradients.all_params_l2_f64);
      expect(worst).toBeLessThan(tolerance(model, 'train gradients, L2 norms (relative)'));
    }
    store.release();
  });

  it('gives its gradients of an early stage in training', async () => {
    const { loss, loss_f64, params } = (reference.expected.train as TrainExpected).gradients_shallow;
    const stage = /'([^']+)'/.exec(loss)?.[1] as string;
    const endpoint = reference.endpoint(stage);
    const { graph } = reference;
    const { shape } = graph.nodes[graph.endpoints.get(endpoint) as number] as Node;
    const flat = goldenProjection(stage, 2 * elementCount(shape));
    const projection = reference.layout === 'torch' ? flat : channelsFirst(flat, shape);
    const { store, outputs } = await reference.step({ projectEndpoint: endpoint }, { projection });
    expect(Math.abs((outputs.loss?.data[0] as number) - loss_f64)).toBeLessThan(1e-4);
    hold('train gradients_shallow, L2 norms (relative)', await worstNorm(store, params, 1));
    store.release();
  });

  it.runIf(model === 'facenet_inception_resnet_v1')(
    'gives its losses and gradients in training by 4',
    async () => {
      const expected = reference.expected.train_batch4 as TrainExpected;
      const { store, outputs } = await reference.step(
        { batch: 4, endpoints: ['logits'] },
        { labels: labelsOf(expected) },
      );
      hold(
        'train_batch4 logits (abs)',
        largestDifference(data(outputs, 'logits'), expected.logits_f64.flat()),
      );
      const loss = Number(outputs.loss?.data[0]);
      const truth = (expected.losses.ce_logits_smoothing_0 as { f64: number }).f64;
      hold('train_batch4 losses (abs)', Math.abs(loss - truth));
      const [plain] = expected.gradients;
      const worst = await worstNorm(store, plain?.params ?? [], plain?.all_params_l2_f64 ?? 0);
      hold('train_batch4 gradients, L2 norms (relative)', worst);
      store.release();
    },
  );
});

/** [n, h, w, c] as [n, c, h, w]. */
function channelsFirst(
  flat: Float32Array,
  [height, width, channels]: readonly [number, number, number],
): Float32Array {
  const result = new Float32Array(flat.length);
  const area = height * width;
  for (let index = 0; index < flat.length; index++) {
    const [image, pixel, channel] = [
      Math.floor(index / (area * channels)),
      Math.floor(index / channels) % area,
      index % channels,
    ];
    result[(image * channels + channel) * area + pixel] = flat[index] as number;
  }
  return result;
}
