/**
 * The networks against published facts: the figures of arXiv 1602.07261, the released networks' parameter counts (timm,
 * torchvision) and the shapes of TF-Slim's endpoints.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../graph/build-graph.ts';
import { costsOf } from '../../graph/costs.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks.ts';

const graphOf = (name: string, options: NetworkOptions = {}): Graph =>
  buildGraph(configure(findNetwork(name), options));

/** Shapes of the named parts, as the figures print them. */
function shapesOf(graph: Graph): Record<string, string> {
  const shape = (id: number) => (graph.nodes[id] as Node).shape.join('×');
  return Object.fromEntries([...graph.endpoints].map(([name, id]) => [name, shape(id)]));
}

describe('the number of trainable parameters', () => {
  it.each<[network: string, options: NetworkOptions, total: number, source: string]>([
    ['inception-v3', {}, 23_834_568, 'torchvision without its auxiliary head'],
    ['inception-v3', { auxiliary: true }, 27_161_264, 'torchvision'],
    ['inception-v4', {}, 42_679_816, 'timm'],
    ['inception-resnet-v2-released', {}, 55_843_464, 'timm'],
  ])('of %s %o is the published %i (%s)', (network, options, total) => {
    expect(costsOf(graphOf(network, options)).parameters).toBe(total);
  });

  it.each<[network: string, millions: number]>([
    ['inception-resnet-v1', 22.76],
    ['inception-resnet-v2', 32.4],
  ])('of %s as drawn is %d M', (network, millions) => {
    expect(costsOf(graphOf(network)).parameters / 1e6).toBeCloseTo(millions, 1);
  });
});

describe('the shapes at 299×299', () => {
  it.each<[network: string, figures: string, parts: Record<string, string>]>([
    [
      'inception-v3',
      'table 1 of arXiv 1512.00567 and figure 3 of its stem',
      { stem: '35×35×192', inceptionA: '35×35×288', reductionA: '17×17×768', inceptionB: '17×17×768' },
    ],
    ['inception-v3', 'the 8×8 grid', { reductionB: '8×8×1280', inceptionC: '8×8×2048' }],
    [
      'inception-v4',
      'figure 3',
      {
        'stem/conv1': '149×149×32',
        'stem/conv2': '147×147×32',
        'stem/conv3': '147×147×64',
        'stem/concat1': '73×73×160',
        'stem/concat2': '71×71×192',
        'stem/concat3': '35×35×384',
      },
    ],
    [
      'inception-v4',
      'figure 9',
      {
        stem: '35×35×384',
        inceptionA: '35×35×384',
        reductionA: '17×17×1024',
        inceptionB: '17×17×1024',
        reductionB: '8×8×1536',
        inceptionC: '8×8×1536',
        averagePooling: '1×1×1536',
        dropout: '1×1×1536',
        logits: '1×1×1000',
      },
    ],
    [
      'inception-resnet-v1',
      'figures 10 to 15',
      {
        stem: '35×35×256',
        inceptionResnetA: '35×35×256',
        reductionA: '17×17×896',
        inceptionResnetB: '17×17×896',
        reductionB: '8×8×1792',
        inceptionResnetC: '8×8×1792',
        averagePooling: '1×1×1792',
      },
    ],
    [
      'inception-resnet-v2',
      'figures 15 to 19, with 1152 for the printed 1154 and 2144 for the printed 2048',
      {
        stem: '35×35×384',
        inceptionResnetA: '35×35×384',
        reductionA: '17×17×1152',
        inceptionResnetB: '17×17×1152',
        reductionB: '8×8×2144',
        inceptionResnetC: '8×8×2144',
        averagePooling: '1×1×2144',
      },
    ],
    [
      'inception-resnet-v2-released',
      "TF-Slim's inception_resnet_v2.py",
      {
        stem: '35×35×192',
        mixed5b: '35×35×320',
        inceptionResnetA: '35×35×320',
        reductionA: '17×17×1088',
        inceptionResnetB: '17×17×1088',
        reductionB: '8×8×2080',
        inceptionResnetC: '8×8×2080',
        conv: '8×8×1536',
        averagePooling: '1×1×1536',
      },
    ],
  ])('of %s are those of %s', (network, _figures, parts) => {
    expect(shapesOf(graphOf(network))).toMatchObject(parts);
  });
});

describe('the number of blocks', () => {
  it.each<[network: string, A: number, B: number, C: number]>([
    ['inception-v3', 3, 4, 2],
    ['inception-v4', 4, 7, 3],
    ['inception-resnet-v1', 5, 10, 5],
    ['inception-resnet-v2', 5, 10, 5],
    ['inception-resnet-v2-released', 10, 20, 10],
  ])('of %s is %i, %i and %i', (network, ...counts) => {
    const names = [...graphOf(network).endpoints.keys()];
    const actual = ['A', 'B', 'C'].map(
      (stage) => names.filter((name) => name.match(`^inception.*${stage}/\\d+$`)).length,
    );
    expect(actual).toEqual(counts);
  });
});

describe("TF-Slim's endpoints", () => {
  const fixture = new URL('../../../test/fixtures/slim_endpoints.json', import.meta.url);
  const { models } = JSON.parse(readFileSync(fixture, 'utf8')) as {
    models: Record<string, { endpoints_in_creation_order: Record<string, (number | 'N')[]> }>;
  };

  /** `Mixed_5b` to `Mixed_5e` are the blocks of one stage. */
  const blocks = (grid: string, letters: string, stage: string) =>
    [...letters].map((letter, index) => [`Mixed_${grid}${letter}`, `${stage}/${index}`]);
  const convolutions = {
    Conv2d_1a_3x3: 'stem/conv1',
    Conv2d_2a_3x3: 'stem/conv2',
    Conv2d_2b_3x3: 'stem/conv3',
  };
  const plainStem = {
    ...convolutions,
    MaxPool_3a_3x3: 'stem/maxPool1',
    Conv2d_3b_1x1: 'stem/conv4',
    Conv2d_4a_3x3: 'stem/conv5',
    MaxPool_5a_3x3: 'stem/maxPool2',
  };
  const reductions = { Mixed_6a: 'reductionA', Mixed_7a: 'reductionB' };
  const ends = { Logits: 'logits', AuxLogits: 'auxiliary/logits', global_pool: 'averagePooling' };
  const v3 = {
    ...plainStem,
    ...reductions,
    ...Object.fromEntries(blocks('5', 'bcd', 'inceptionA')),
    ...Object.fromEntries(blocks('6', 'bcde', 'inceptionB')),
    ...Object.fromEntries(blocks('7', 'bc', 'inceptionC')),
    AvgPool_1a: 'averagePooling',
    PreLogits: 'dropout',
    Logits: ends.Logits,
    AuxLogits: ends.AuxLogits,
  };
  const v4 = {
    ...convolutions,
    ...reductions,
    Mixed_3a: 'stem/concat1',
    Mixed_4a: 'stem/concat2',
    Mixed_5a: 'stem/concat3',
    ...Object.fromEntries(blocks('5', 'bcde', 'inceptionA')),
    ...Object.fromEntries(blocks('6', 'bcdefgh', 'inceptionB')),
    ...Object.fromEntries(blocks('7', 'bcd', 'inceptionC')),
    PreLogitsFlatten: 'dropout',
    ...ends,
  };
  const released = {
    ...plainStem,
    ...reductions,
    Mixed_5b: 'mixed5b',
    PreAuxLogits: 'inceptionResnetB',
    Conv2d_7b_1x1: 'conv',
    PreLogitsFlatten: 'dropout',
    ...ends,
  };

  it.each<[slim: string, network: string, names: Record<string, string>]>([
    ['slim_inception_v3', 'inception-v3', v3],
    ['slim_inception_v4', 'inception-v4', v4],
    ['slim_inception_resnet_v2', 'inception-resnet-v2-released', released],
  ])('%s have the shapes of %s', (slim, network, names) => {
    const expected = { ...models[slim]?.endpoints_in_creation_order };
    // The softmax belongs to the program, not to the network.
    delete expected.Predictions;
    expect(Object.keys(names).sort(), 'every endpoint has a counterpart').toEqual(
      Object.keys(expected).sort(),
    );
    const shapes = shapesOf(graphOf(network, { classes: 1001, auxiliary: true }));
    for (const [endpoint, [, ...shape]] of Object.entries(expected)) {
      const grid = shape.length === 1 ? [1, 1, ...shape] : shape;
      expect(shapes[names[endpoint] as string], endpoint).toBe(grid.join('×'));
    }
  });
});
