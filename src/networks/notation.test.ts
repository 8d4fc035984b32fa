import { describe, expect, it } from 'vitest';
import { buildGraph, GraphError } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { configure } from './networks.ts';
import {
  avgPool,
  type ConvMarks,
  conv,
  depthwise,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  type Layer,
  linearSum,
  maxPool,
  meaningOf,
  type Network,
  relu,
  sum,
} from './notation.ts';

/** A network of one layer over 9×9×8. */
const around = (layer: Layer, differences: Partial<Network> = {}): Network => ({
  name: 'one-layer',
  about: 'for a test',
  input: [9, 9, 8],
  classes: 2,
  layers: { layer, averagePooling: globalAvgPool(), logits: fullyConnected() },
  ...differences,
});
const graphOf = (layer: Layer, differences?: Partial<Network>): Graph =>
  buildGraph(configure(around(layer, differences)));
/** The operations that a layer becomes. */
const opsOf = (layer: Layer): string[] =>
  graphOf(layer)
    .nodes.slice(1, -2)
    .map(({ op }) => op);
const outputOf = (graph: Graph): Node => graph.nodes[graph.endpoints.get('layer') as number] as Node;

describe('marks', () => {
  it.each<[marks: ConvMarks | undefined, stride: number, padding: string, relu: boolean]>([
    [undefined, 1, 'same', true],
    ['V', 1, 'valid', true],
    ['stride 2', 2, 'same', true],
    ['stride 3 V', 3, 'valid', true],
    ['Linear', 1, 'same', false],
    ['stride 2 Linear', 2, 'same', false],
    ['stride 2 V Linear', 2, 'valid', false],
  ])('%s mean stride %i, %s padding and a ReLU: %s', (marks, stride, padding, hasRelu) => {
    expect(meaningOf(marks)).toEqual({ stride, padding, relu: hasRelu });
  });

  it('that are malformed are refused with the name of the layer', () => {
    expect(() => graphOf(conv('3x3', 8, 'same' as ConvMarks))).toThrow(
      new GraphError(
        "layer: marks are 'V', 'stride 2', 'stride 2 V', and for a convolution optionally 'Linear' at the end; received 'same'",
      ),
    );
  });
});

describe('a convolution', () => {
  it.each<[what: string, layer: Layer, ops: string[]]>([
    ['as drawn', conv('3x3', 16), ['conv', 'batchNorm', 'relu']],
    ['marked Linear', conv('3x3', 16, 'Linear'), ['conv', 'batchNorm']],
    ['without normalisation', conv('3x3', 16, undefined, { norm: false }), ['conv', 'relu']],
    ['alone', depthwise('3x3', 'Linear', { norm: false, bias: false }), ['conv']],
    [
      'after its ReLU',
      filterConcat([relu(), conv('3x3', 8, 'Linear')]),
      ['relu', 'conv', 'batchNorm', 'concat'],
    ],
  ])('%s is %3$s', (_, layer, ops) => {
    expect(opsOf(layer)).toEqual(ops);
  });

  it('has a bias by default only where no batch normalisation follows', () => {
    const biases = [
      conv('3x3', 8),
      conv('3x3', 8, undefined, { norm: false }),
      conv('3x3', 8, undefined, { norm: false, bias: false }),
    ].map((layer) => graphOf(layer).nodes.some((node) => node.op === 'conv' && node.attributes.bias));
    expect(biases).toEqual([false, true, false]);
  });

  it('in groups has proportionally fewer weights and multiply-adds', () => {
    const [whole, grouped, deep] = [
      conv('3x3', 16),
      conv('3x3', 16, undefined, { groups: 4 }),
      depthwise('3x3'),
    ].map((layer) => costsOf(buildGraph(configure(around(layer, { classes: 0 })))));
    // 9 · 8 · 16 weights and 2 · 16 of the normalisation; 9 · 2 · 16; 9 · 8.
    expect([whole?.parameters, grouped?.parameters, deep?.parameters]).toEqual([1184, 320, 88]);
    expect([whole?.macs, grouped?.macs, deep?.macs]).toEqual([81 * 1152, 81 * 288, 81 * 72]);
  });

  it('refuses groups that do not divide its channels or filters', () => {
    expect(() => graphOf(conv('3x3', 9, undefined, { groups: 3 }))).toThrow(
      new GraphError('layer: 3 groups must divide channels and filters, received 8 and 9'),
    );
  });
});

describe('same padding with a stride', () => {
  const pads = (
    side: number,
    samePadding: 'tensorflow' | 'torch',
    layer: Layer = conv('3x3', 8, 'stride 2'),
  ) => {
    const graph = graphOf(layer, { input: [side, side, 8], samePadding });
    const pad = graph.nodes.find((node) => node.op === 'pad');
    const window = graph.nodes.find((node) => node.op === 'conv' || node.op === 'maxPool');
    return [
      pad?.op === 'pad'
        ? [pad.attributes.before[0], pad.attributes.after[0], pad.attributes.value]
        : undefined,
      window && 'padding' in window.attributes ? window.attributes.padding[0] : undefined,
      outputOf(graph).shape[0],
    ];
  };

  // tf.nn.conv2d and torch.nn.Conv2d(padding=(k - 1) // 2): pixels before and after, and the size of the output grid.
  it('is TensorFlow’s by default: an odd pixel goes to the end', () => {
    expect(pads(9, 'tensorflow')).toEqual([undefined, 1, 5]);
    expect(pads(10, 'tensorflow')).toEqual([[0, 1, 0], 0, 5]);
    expect(pads(10, 'tensorflow', maxPool('3x3', 'stride 2'))).toEqual([
      [0, 1, Number.NEGATIVE_INFINITY],
      0,
      5,
    ]);
    expect(pads(224, 'tensorflow', conv('7x7', 8, 'stride 2'))).toEqual([[2, 3, 0], 0, 112]);
  });

  it('is PyTorch’s with samePadding: torch: the same on every side', () => {
    expect(pads(9, 'torch')).toEqual([undefined, 1, 5]);
    expect(pads(10, 'torch')).toEqual([undefined, 1, 5]);
    expect(pads(224, 'torch', conv('7x7', 8, 'stride 2'))).toEqual([undefined, 3, 112]);
  });

  it('is refused before an average, whose padding would be counted', () => {
    expect(() => graphOf(avgPool('3x3', 'stride 2'), { input: [10, 10, 8] })).toThrow(
      new GraphError(
        "layer: an average pooling's same padding has to be symmetric, received 0×0 before and 1×1 after the 10×10 grid; mark it V, or say samePadding: 'torch'",
      ),
    );
  });
});

describe('a sum', () => {
  it('adds its branches, an empty one being the input, and has a ReLU unless it is linear', () => {
    expect(opsOf(sum([], [conv('3x3', 8, 'Linear')]))).toEqual(['conv', 'batchNorm', 'scaledAdd', 'relu']);
    expect(opsOf(linearSum([], [depthwise('3x3', 'Linear')], [relu()]))).toEqual([
      'conv',
      'batchNorm',
      'relu',
      'scaledAdd',
      'scaledAdd',
    ]);
  });

  it('has a projected shortcut in its first branch', () => {
    const graph = graphOf(sum([conv('1x1', 32, 'stride 2 Linear')], [conv('3x3', 32, 'stride 2 Linear')]));
    expect(outputOf(graph).shape).toEqual([5, 5, 32]);
  });

  it('refuses branches of different shapes', () => {
    expect(() => graphOf(sum([], [conv('3x3', 16)]))).toThrow(
      new GraphError('layer: branches of unlike shapes cannot be added: 9×9×8, 9×9×16'),
    );
  });
});

describe('the options of a network of these layers', () => {
  it('scale the filters in sums, and depthwise convolutions with them', () => {
    const block = filterConcat([conv('1x1', 32), sum([], [depthwise('3x3'), conv('1x1', 32, 'Linear')])]);
    const { nodes } = buildGraph(configure(around(block), { width: 0.5 }));
    expect(nodes.filter(({ op }) => op === 'conv').map(({ shape }) => shape[2])).toEqual([16, 16, 16]);
  });

  it('name stages only where the network has them', () => {
    expect(() => configure(around(conv('3x3', 8)), { blocks: { B: 2 } })).toThrow(
      "network option 'blocks': one-layer has no stage B; it has none",
    );
  });

  it('add an auxiliary classifier only where the network has one', () => {
    expect(() => configure(around(conv('3x3', 8)), { auxiliary: true })).toThrow(
      'one-layer has no auxiliary classifier',
    );
  });
});
