import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import type { Graph, Op } from '../graph/graph.ts';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { foldBatchNorm } from './fold.ts';
import { fuseRelu } from './fuse-relu.ts';
import { mergeSiblings } from './merge-siblings.ts';

const count = (graph: Graph, op: Op): number => graph.nodes.filter((node) => node.op === op).length;

const withRelu = (graph: Graph): number =>
  graph.nodes.filter(({ attributes }) => 'relu' in attributes && attributes.relu).length;

describe('fuseRelu', () => {
  it.each(networks.map((network) => [network.name, network] as const))(
    'fuses every ReLU after a batch normalisation of %s, and leaves only those after sums',
    (_, network) => {
      const graph = mergeSiblings(buildGraph(configure(network, { auxiliary: true })));
      const fused = fuseRelu('batchNorm')(graph);
      // facenet's embedding has a batch normalisation without a ReLU.
      const withoutRelu = network.name === 'inception-resnet-v1-facenet' ? 1 : 0;
      const pairs = count(graph, 'batchNorm') - withoutRelu;
      expect(count(fused, 'batchNorm')).toBe(pairs + withoutRelu);
      expect(withRelu(fused)).toBe(pairs);
      expect(count(fused, 'relu')).toBe(count(graph, 'relu') - pairs);
      expect(costsOf(fused)).toEqual(costsOf(graph));
      expect([...fused.endpoints.keys()]).toEqual([...graph.endpoints.keys()]);
    },
  );

  it('fuses ReLUs after residual sums into the sums', () => {
    const graph = buildGraph(configure(findNetwork('inception-resnet-v2')));
    const fused = fuseRelu('scaledAdd')(graph);
    expect(withRelu(fused)).toBe(20);
    expect(count(fused, 'relu')).toBe(count(graph, 'relu') - 20);
  });

  it('leaves a ReLU after an operation that is an endpoint', () => {
    const graph = foldBatchNorm(buildGraph(configure(findNetwork('inception-v4'))));
    const [first] = graph.nodes.filter(({ op }) => op === 'conv');
    const endpoints = new Map([...graph.endpoints, ['before', first?.id ?? -1] as const]);
    expect(count(fuseRelu('conv')(graph), 'relu')).toBe(0);
    expect(count(fuseRelu('conv')({ ...graph, endpoints }), 'relu')).toBe(1);
  });
});
