import { describe, expect, it } from 'vitest';
import { placeInConcat } from '../compile/place-in-concat.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { foldBatchNorm, foldResidualScale } from './fold.ts';
import { fuseConvRelu } from './fuse-conv-relu.ts';
import { fuseNormRelu } from './fuse-norm-relu.ts';

const graphOf = (name: string) => buildGraph(configure(findNetwork(name)));
const folded = (name: string) => foldResidualScale(foldBatchNorm(graphOf(name)));

describe('fuseConvRelu', () => {
  it('leaves no ReLU and no sum alone in the residual networks', () => {
    const fused = fuseConvRelu(folded('inception-resnet-v2-released'), { keep: [] });
    expect(fused.nodes.filter(({ op }) => op === 'relu' || op === 'scaledAdd')).toEqual([]);
    const sums = fused.nodes.filter(({ op, inputs }) => op === 'conv' && inputs.length === 2);
    expect(sums).toHaveLength(40);
  });

  it('does not write over a block that is asked for', () => {
    const graph = folded('inception-resnet-v2');
    const [, block] = [...graph.endpoints].find(([name]) => name === 'inceptionResnetA/0') as [
      string,
      number,
    ];
    const count = (keep: readonly number[]) =>
      fuseConvRelu(graph, { keep }).nodes.filter(({ op }) => op === 'scaledAdd').length;
    expect(count([])).toBe(0);
    expect(count([block])).toBe(1);
  });

  it.each(networks.map(({ name }) => name))('keeps inputs before their readers in %s', (name) => {
    const { nodes } = fuseConvRelu(folded(name), { keep: [] });
    expect(nodes.every(({ id, inputs }) => inputs.every((input) => input < id))).toBe(true);
  });
});

describe('placeInConcat', () => {
  it('writes every branch of an Inception block into its part, side by side', () => {
    const graph = fuseNormRelu(graphOf('inception-v4'));
    const places = placeInConcat(graph, { keepDense: [] });
    const block = graph.nodes[graph.endpoints.get('inceptionA/0') as number];
    expect(block?.op).toBe('concat');
    const parts = block?.inputs.map((id) => places.get(id));
    expect(parts).toEqual([0, 96, 192, 288].map((from) => ({ concat: block?.id, from })));
  });

  it('places nothing that somebody else reads or asks for', () => {
    const graph = fuseNormRelu(graphOf('inception-v4'));
    const all = placeInConcat(graph, { keepDense: [] });
    const readers = (id: number) => graph.nodes.filter(({ inputs }) => inputs.includes(id)).length;
    expect([...all.keys()].every((id) => readers(id) === 1)).toBe(true);
    const [first] = [...all.keys()] as [number];
    expect(placeInConcat(graph, { keepDense: [first] }).has(first)).toBe(false);
  });
});
