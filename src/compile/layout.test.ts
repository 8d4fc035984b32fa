import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { elementCount, isStatistic, parametersOf } from '../graph/graph.ts';
import { configure, networks } from '../networks/networks.ts';
import { flatTensor, layOut } from './layout.ts';

const graphs = networks.map(
  (network) => [network.name, buildGraph(configure(network, { auxiliary: true }))] as const,
);

describe('layOut', () => {
  it.each(graphs)('gives every parameter of %s its own range of elements', (_, graph) => {
    const layout = layOut(graph);
    const members = [...layout.trainable, ...layout.statistics].flatMap((placement) => placement.members);
    expect(new Set(members.map(({ name }) => name))).toEqual(
      new Set(parametersOf(graph).map(({ name }) => name)),
    );
    for (const placements of [layout.trainable, layout.statistics]) {
      let end = 0;
      for (const { offset, shape } of placements) {
        expect(offset).toBeGreaterThanOrEqual(end);
        end = offset + elementCount(shape);
      }
      expect(end).toBeLessThanOrEqual(
        placements === layout.trainable ? layout.trainableLength : layout.statisticsLength,
      );
    }
  });

  it.each(graphs)('applies weight decay to exactly the convolution and dense weights of %s', (_, graph) => {
    const { trainable, decayedLength } = layOut(graph);
    const decayed = trainable
      .filter(({ offset }) => offset < decayedLength)
      .flatMap(({ members }) => members);
    const expected = parametersOf(graph).filter(({ role }) => role.endsWith('Weight'));
    expect(new Set(decayed)).toEqual(new Set(expected));
    expect(parametersOf(graph).some(isStatistic)).toBe(true);
  });

  it('makes the merged weight of siblings one view, output channels outermost', () => {
    const [, graph] = graphs[1] as (typeof graphs)[number];
    const layout = layOut(graph);
    const { views } = flatTensor(layout.trainable, {
      kind: 'weights',
      prefix: '',
      dtype: 'float32',
      length: layout.trainableLength,
    });
    const [a, b] = ['stem/concat2/branch0/conv1/weight', 'stem/concat2/branch1/conv1/weight'] as const;
    const view = (name: string) => views.find((candidate) => candidate.name === name);
    expect(view(`${a}+${b}`)).toMatchObject({
      shape: [128, 160, 1, 1],
      strides: [160, 1, 160, 160],
      offset: view(a)?.offset,
    });
    expect(view(b)?.offset).toBe((view(a)?.offset ?? 0) + 64 * 160);
  });
});
