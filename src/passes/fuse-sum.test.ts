import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { foldBatchNorm, foldResidualScale } from './fold.ts';
import { fuseRelu } from './fuse-relu.ts';
import { fuseSum } from './fuse-sum.ts';

const graphOf = (name: string) => buildGraph(configure(findNetwork(name)));
const folded = (name: string) => foldResidualScale(foldBatchNorm(graphOf(name)));

describe('fuseSum', () => {
  it('leaves no separate ReLU or sum in a residual network once ReLUs are fused too', () => {
    const fused = fuseRelu('conv')(fuseSum(folded('inception-resnet-v2-released'), { keep: [] }));
    expect(fused.nodes.filter(({ op }) => op === 'relu' || op === 'scaledAdd')).toEqual([]);
    const sums = fused.nodes.filter(({ op, inputs }) => op === 'conv' && inputs.length === 2);
    expect(sums).toHaveLength(40);
  });

  it('does not overwrite a requested block', () => {
    const graph = folded('inception-resnet-v2');
    const [, block] = [...graph.endpoints].find(([name]) => name === 'inceptionResnetA/0') as [
      string,
      number,
    ];
    const count = (keep: readonly number[]) =>
      fuseSum(graph, { keep }).nodes.filter(({ op }) => op === 'scaledAdd').length;
    expect(count([])).toBe(0);
    expect(count([block])).toBe(1);
  });

  it.each(networks.map(({ name }) => name))('keeps inputs before their readers in %s', (name) => {
    const { nodes } = fuseSum(folded(name), { keep: [] });
    expect(nodes.every(({ id, inputs }) => inputs.every((input) => input < id))).toBe(true);
  });
});
