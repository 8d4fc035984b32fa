import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { avgPool, conv, fullyConnected, globalAvgPool, type Network } from '../networks/notation.ts';
import { exchangePooling } from './exchange-pooling.ts';
import { foldBatchNorm } from './fold.ts';

const graphOf = (network: string, options: NetworkOptions = {}): Graph =>
  foldBatchNorm(buildGraph(configure(findNetwork(network), options)));

/** What each average pooling reads, as `op filters`. */
const poolsOver = (graph: Graph): string[] =>
  graph.nodes
    .filter(({ op }) => op === 'avgPool')
    .map(({ inputs }) => {
      const { op, shape } = graph.nodes[inputs[0] as number] as Node;
      return `${op} ${shape[2]}`;
    });

describe('exchangePooling', () => {
  it('moves the pooling of every Inception-v4 block after its narrower convolution', () => {
    const graph = graphOf('inception-v4');
    expect(new Set(poolsOver(graph))).toEqual(new Set(['concat 384', 'concat 1024', 'concat 1536']));
    const exchanged = exchangePooling(graph);
    expect(new Set(poolsOver(exchanged))).toEqual(new Set(['conv 96', 'conv 128', 'conv 256']));
    expect(exchanged.nodes).toHaveLength(graph.nodes.length);
    expect(exchanged.nodes.map(({ id, inputs }) => inputs.every((input) => input < id))).not.toContain(false);
  });

  it('leaves a convolution with a bias where padding counts, because the zeros would dilute the bias', () => {
    const graph = graphOf('inception-v3', { countPadding: true });
    expect(exchangePooling(graph)).toEqual(graph);
  });

  it('swaps them there too while batch normalisation means there is no bias', () => {
    const graph = buildGraph(configure(findNetwork('inception-v3'), { countPadding: true }));
    expect(poolsOver(exchangePooling(graph)).every((pool) => pool.startsWith('conv'))).toBe(true);
  });

  it('leaves pooling that is an endpoint, whose result is asked for by name', () => {
    const network: Network = {
      ...findNetwork('inception-v4'),
      name: 'pooled',
      layers: { pool: avgPool('3x3'), conv: conv('1x1', 2), mean: globalAvgPool(), logits: fullyConnected() },
    };
    const graph = foldBatchNorm(buildGraph(configure(network)));
    expect(exchangePooling(graph)).toEqual(graph);
  });

  it('changes nothing in a network without average pooling before convolutions', () => {
    const graph = graphOf('inception-resnet-v1');
    expect(exchangePooling(graph)).toEqual(graph);
  });
});
