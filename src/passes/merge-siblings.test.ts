import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { configure, networks } from '../networks/networks.ts';
import {
  conv,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  maxPool,
  type Network,
} from '../networks/notation.ts';
import { foldBatchNorm } from './fold.ts';
import { mergeSiblings } from './merge-siblings.ts';

/** A network of one block, to test the pass in isolation. */
const around = (block: ReturnType<typeof filterConcat>): Network => ({
  name: 'one-block',
  about: 'for a test',
  input: [9, 9, 8],
  classes: 2,
  layers: { block, averagePooling: globalAvgPool(), logits: fullyConnected() },
  auxiliary: { after: 'block', layers: {} },
});

const graphOf = (network: Network): Graph => buildGraph(configure(network));
const ops = (graph: Graph): string[] => graph.nodes.map(({ op }) => op);
const convolutions = (graph: Graph): Node[] => graph.nodes.filter(({ op }) => op === 'conv');

describe('mergeSiblings', () => {
  it('merges the 1x1 convolutions that read the same input', () => {
    const merged = mergeSiblings(
      graphOf(around(filterConcat([conv('1x1', 16)], [conv('1x1', 8), conv('3x3', 24)], [maxPool('3x3')]))),
    );
    expect(ops(merged)).toEqual([
      'input',
      'conv',
      'slice',
      'slice',
      'batchNorm',
      'relu',
      'batchNorm',
      'relu',
      'conv',
      'batchNorm',
      'relu',
      'maxPool',
      'concat',
      'globalAvgPool',
      'linear',
    ]);
    const [first] = convolutions(merged) as [Node];
    expect(first.shape).toEqual([9, 9, 24]);
    expect(first.path).toBe('block/branch0/conv1+block/branch1/conv1');
    expect(merged.nodes.filter(({ op }) => op === 'slice').map(({ attributes }) => attributes)).toEqual([
      { from: 0, to: 16 },
      { from: 16, to: 24 },
    ]);
  });

  it('merges the ReLUs of folded convolutions too', () => {
    const graph = graphOf(around(filterConcat([conv('1x1', 16)], [conv('1x1', 8)])));
    const merged = mergeSiblings(foldBatchNorm(graph));
    expect(ops(merged).slice(0, 6)).toEqual(['input', 'conv', 'relu', 'slice', 'slice', 'concat']);
  });

  it('does not merge convolutions with different windows', () => {
    const graph = graphOf(
      around(filterConcat([conv('1x1', 8)], [conv('3x3', 8)], [conv('1x3', 8)], [conv('3x1', 8)])),
    );
    expect(mergeSiblings(graph)).toEqual(graph);
  });

  it.each(networks.map((network) => [network.name, network] as const))(
    'keeps the costs and endpoints of %s',
    (_, network) => {
      const graph = buildGraph(configure(network, { auxiliary: true }));
      const merged = mergeSiblings(graph);
      expect(convolutions(merged).length).toBeLessThan(convolutions(graph).length);
      expect(costsOf(merged)).toEqual(costsOf(graph));
      for (const [name, id] of graph.endpoints) {
        expect(merged.nodes[merged.endpoints.get(name) as number]?.shape).toEqual(graph.nodes[id]?.shape);
      }
      for (const node of merged.nodes) expect(node.inputs.every((input) => input < node.id)).toBe(true);
    },
  );
});
