import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import type { Graph, Op } from '../graph/graph.ts';
import { configure, networks } from '../networks/networks.ts';
import { fuseNormRelu } from './fuse-norm-relu.ts';
import { mergeSiblings } from './merge-siblings.ts';

const count = (graph: Graph, op: Op): number => graph.nodes.filter((node) => node.op === op).length;

describe('fuseNormRelu', () => {
  it.each(networks.map((network) => [network.name, network] as const))(
    'leaves in %s no batch normalisation before a ReLU, and only the ReLUs after sums',
    (_, network) => {
      const graph = mergeSiblings(buildGraph(configure(network, { auxiliary: true })));
      const fused = fuseNormRelu(graph);
      // facenet's embedding has one without a ReLU.
      const alone = network.name === 'inception-resnet-v1-facenet' ? 1 : 0;
      const pairs = count(graph, 'batchNorm') - alone;
      expect(count(fused, 'batchNorm')).toBe(alone);
      expect(count(fused, 'batchNormRelu')).toBe(pairs);
      expect(count(fused, 'relu')).toBe(count(graph, 'relu') - pairs);
      expect(costsOf(fused)).toEqual(costsOf(graph));
      expect([...fused.endpoints.keys()]).toEqual([...graph.endpoints.keys()]);
    },
  );
});
