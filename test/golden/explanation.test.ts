/** Gradients of logits, in evaluation mode, against PyTorch's autograd; fixtures/own-networks/make.py wrote the expected values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileExplanation,
  type ExplanationOptions,
} from '../../src/compile/explanation/compile-explanation.ts';
import type { Kernels } from '../../src/compile/options.ts';
import type { Engine, HostTensor } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { type Graph, type Parameter, parametersOf } from '../../src/graph/graph.ts';
import { configure } from '../../src/networks/networks.ts';
import { sampleModel, sampleValues } from '../sample-model.ts';
import { readFixture } from './fixture.ts';
import { goldenImages } from './prng.ts';
import { channelsLast } from './reference.ts';
import { smallNetwork } from './small-network.ts';

interface Expected {
  readonly source: string;
  readonly classes: readonly [number, number];
  readonly logits: readonly number[];
  readonly deep: { readonly activation: readonly number[]; readonly gradient: readonly number[] };
  readonly input_gradient: readonly number[];
}

const kernels: readonly Kernels[] = ['native', 'aten'];

let engine: Engine;
beforeAll(() => {
  engine = openTorch();
});
afterAll(() => engine.close());

async function explain(
  graph: Graph,
  classes: readonly number[],
  options: Partial<ExplanationOptions> = {},
): Promise<Record<string, HostTensor>> {
  const batch = classes.length;
  const { store: spec, explain } = compileExplanation(graph, { batch, images: 'float32', ...options });
  const store = await engine.createStore(spec);
  for (const parameter of parametersOf(graph)) await store.write(parameter.name, sampleValues(parameter));
  const [side] = graph.network.input;
  const logitWeights = new Float32Array(batch * graph.network.classes);
  for (const [row, label] of classes.entries()) logitWeights[row * graph.network.classes + label] = 1;
  const program = await engine.load(explain, store);
  const outputs = await program.run({ images: channelsLast(goldenImages(side, batch), side), logitWeights });
  program.release();
  store.release();
  return outputs;
}

const largestDifference = (tensor: HostTensor | undefined, expected: readonly number[]): number => {
  expect(tensor?.data).toHaveLength(expected.length);
  return Math.max(...expected.map((value, index) => Math.abs(Number(tensor?.data[index]) - value)));
};

describe('an explanation', () => {
  const expected = readFixture<Expected>('own-networks/explanation.json');
  const graph = buildGraph(configure(smallNetwork));

  it.each(kernels)(`has the gradients of ${expected.source} with %s kernels`, async (kernels) => {
    const atDeep = await explain(graph, expected.classes, { endpoint: 'deep', kernels });
    expect(atDeep.gradient?.shape).toEqual([2, 16, 3, 3]);
    expect(largestDifference(atDeep.logits, expected.logits)).toBeLessThan(1e-6);
    expect(largestDifference(atDeep.activation, expected.deep.activation)).toBeLessThan(1e-6);
    expect(largestDifference(atDeep.gradient, expected.deep.gradient)).toBeLessThan(1e-7);
    const atInput = await explain(graph, expected.classes, { kernels });
    expect(atInput.gradient?.shape).toEqual([2, 3, 20, 20]);
    expect(largestDifference(atInput.gradient, expected.input_gradient)).toBeLessThan(1e-6);
  });

  it.each(['inception-v3', 'inception-v4', 'inception-resnet-v2', 'inception-resnet-v2-released'])(
    'of the last grid of %s is the classifier’s row over the number of cells',
    async (network) => {
      const { graph } = sampleModel(network, { inputSize: 139, auxiliary: network !== 'inception-v4' });
      const [endpoint] = [...graph.endpoints].findLast(
        ([, id]) => graph.nodes[id]?.head === 'main' && (graph.nodes[id]?.shape[0] ?? 0) > 1,
      ) as [string, number];
      const { gradient } = await explain(graph, [5], { endpoint });
      const [, channels = 0, height = 0, width = 0] = gradient?.shape ?? [];
      const row = sampleValues(parametersOf(graph).find(({ name }) => name === 'logits/weight') as Parameter);
      const cells = height * width;
      const rows = Array.from({ length: channels * cells }, (_, index) =>
        Number(row[5 * channels + Math.floor(index / cells)]),
      );
      expect(
        largestDifference(
          gradient,
          rows.map((value) => value / cells),
        ),
      ).toBeLessThan(1e-7);
    },
  );
});
