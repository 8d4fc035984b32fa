import { describe, expect, it } from 'vitest';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { buildGraph } from './build-graph.ts';
import { compareGraphs } from './compare-graphs.ts';

const graphOf = (name: string, options: NetworkOptions = {}) =>
  buildGraph(configure(findNetwork(name), options));
const differing = (...graphs: Parameters<typeof compareGraphs>) =>
  compareGraphs(...graphs).filter(({ kind }) => kind !== 'same');

describe('compareGraphs', () => {
  it('finds nothing between a network and itself', () => {
    const graph = graphOf('inception-v4');
    expect(differing(graph, graph)).toEqual([]);
    const [first] = compareGraphs(graph, graph).filter(({ name }) => name.startsWith('inceptionB'));
    expect(first?.name).toBe('inceptionB/0..6');
  });

  it('names the part and the layer in which two networks differ', () => {
    const scales = differing(
      graphOf('inception-resnet-v1'),
      graphOf('inception-resnet-v1', { residualScale: { B: 0.3 } }),
    );
    expect(scales).toEqual([expect.objectContaining({ name: 'inceptionResnetB/0..9', kind: 'differs' })]);
    expect(scales[0]?.layers).toEqual(['(the part): concat, add × 0.1, ReLU | concat, add × 0.3, ReLU']);
    const padding = differing(graphOf('inception-v3'), graphOf('inception-v3', { countPadding: true }));
    expect(padding.flatMap(({ layers }) => layers)).toContain(
      'branch3/avgPool1: avgPool 3×3 | avgPool 3×3 counting its padding',
    );
  });

  it('tells filters, windows and order, which the figures have, from depths that follow', () => {
    const v1 = graphOf('inception-resnet-v1');
    const v2 = graphOf('inception-resnet-v2');
    const lines = new Map(compareGraphs(v1, v2).map(({ name, layers }) => [name, layers]));
    expect(lines.get('inceptionResnetA/0..4')).toEqual([
      'branch2/conv2: conv 3×3 32, batch norm, ReLU | conv 3×3 48, batch norm, ReLU',
      'branch2/conv3: conv 3×3 32, batch norm, ReLU | conv 3×3 64, batch norm, ReLU',
    ]);
  });

  it('shows in what the released Inception-ResNet-v2 departs from the paper', () => {
    const differences = compareGraphs(
      graphOf('inception-resnet-v2'),
      graphOf('inception-resnet-v2-released'),
    );
    const kinds = new Map(differences.map(({ name, kind }) => [name, kind]));
    expect(kinds.get('mixed5b')).toBe('only in the second');
    expect(kinds.get('stem/concat1')).toBe('only in the first');
    expect(kinds.get('stem/conv1')).toBe('same');
    expect(kinds.get('inceptionResnetA/5..9')).toBe('only in the second');
    expect(kinds.get('conv')).toBe('only in the second');
    // The same layers between other channels.
    for (const part of ['inceptionResnetA/0..4', 'inceptionResnetB/0..9', 'reductionA', 'dropout', 'logits'])
      expect(kinds.get(part), part).toBe('follows');
    expect([...kinds.values()]).not.toContain('differs');
    // The very last block: unscaled, without ReLU.
    const last = differences.find(({ name }) => name === 'inceptionResnetC/9');
    expect(last?.layers).toEqual(['(the part): concat, add × 0.2, ReLU | concat, add × 1']);
  });
});
