import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import type { Graph, Op } from '../graph/graph.ts';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { foldBatchNorm, foldResidualScale } from './fold.ts';
import { mergeSiblings } from './merge-siblings.ts';

const count = (graph: Graph, op: Op): number => graph.nodes.filter((node) => node.op === op).length;

describe('foldBatchNorm', () => {
  it.each(networks.map((network) => [network.name, network] as const))(
    'removes every batch normalisation after a convolution of %s and gives every convolution a bias',
    (_, network) => {
      const graph = buildGraph(configure(network));
      const folded = foldBatchNorm(graph);
      expect(count(graph, 'batchNorm')).toBeGreaterThan(0);
      // facenet's embedding has a batch normalisation after its dense layer.
      expect(count(folded, 'batchNorm')).toBe(count(graph, 'linear') - 1);
      expect(count(folded, 'conv')).toBe(count(graph, 'conv'));
      expect(folded.nodes.every((node) => node.op !== 'conv' || node.attributes.bias)).toBe(true);
    },
  );

  it('keeps the statistics of every sibling when they are merged afterwards', () => {
    const folded = mergeSiblings(foldBatchNorm(buildGraph(configure(findNetwork('inception-v4')))));
    const merged = folded.nodes.find((node) => node.op === 'conv' && node.path.includes('+'));
    const { parameters } = (merged?.op === 'conv' && merged.attributes.folded?.batchNorm) || {};
    expect(parameters?.members.map(({ movingMean }) => movingMean?.name)).toEqual([
      'stem/concat2/branch0/conv1/movingMean',
      'stem/concat2/branch1/conv1/movingMean',
    ]);
  });
});

describe('foldResidualScale', () => {
  it('moves each scale into the Linear convolution before the addition', () => {
    const graph = buildGraph(configure(findNetwork('inception-resnet-v2')));
    const folded = foldResidualScale(foldBatchNorm(graph));
    const sums = folded.nodes.filter((node) => node.op === 'scaledAdd');
    expect(sums).toHaveLength(20);
    expect(sums.every((node) => node.op === 'scaledAdd' && node.attributes.scale === 1)).toBe(true);
    const scales = sums.map(({ inputs }) => {
      const linear = folded.nodes[inputs[1] as number];
      return linear?.op === 'conv' ? linear.attributes.folded?.scale : undefined;
    });
    expect(scales).toEqual([...Array(5).fill(0.17), ...Array(10).fill(0.1), ...Array(5).fill(0.2)]);
  });

  it('changes nothing in a network without residuals', () => {
    const graph = buildGraph(configure(findNetwork('inception-v4')));
    expect(foldResidualScale(graph)).toEqual(graph);
  });
});
