import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { parametersOf } from '../graph/graph.ts';
import { cutNetwork } from './cut-network.ts';
import type { NetworkOptions } from './network-options.ts';
import { configure, findNetwork } from './networks.ts';

const graphOf = (name: string, options: NetworkOptions) => buildGraph(configure(findNetwork(name), options));

const cutGraph = (name: string, part: string, options: NetworkOptions) => {
  const cut = cutNetwork(findNetwork(name), { part, options });
  return { ...cut, graph: buildGraph(configure(cut.network, cut.options)) };
};

const described = (graph: ReturnType<typeof buildGraph>) =>
  parametersOf(graph).map(({ name, shape }) => `${name} ${shape.join('×')}`);

describe('cutNetwork', () => {
  it.each([
    ['inception-v4', 'inceptionB', {}],
    ['inception-v3', 'inceptionB/1', { width: 0.25 }],
    ['inception-v3', 'inceptionB/3', { auxiliary: true }],
    ['inception-v3', 'inceptionB/5', { blocks: { B: 6 } }],
    ['inception-v3', 'inceptionB/4', { blocks: { B: 6 } }],
    ['inception-resnet-v2', 'reductionA', { blocks: { A: 2, B: 1 }, residualScale: { A: 0.1, C: 1 } }],
    ['inception-resnet-v2', 'inceptionResnetA/0', { blocks: { A: 2, B: 1 }, gamma: false }],
  ])('keeps every parameter of %s before the end of %s', (name, part, options) => {
    const { graph, network } = cutGraph(name, part, { ...options, classes: 3 });
    const whole = graphOf(name, { ...options, classes: 3 });
    const wholeMain = described(whole).filter((each) => !each.startsWith('auxiliary'));
    const kept = described(graph).filter((each) => !each.startsWith('logits'));
    expect(wholeMain.slice(0, kept.length)).toEqual(kept);
    expect(network.name).toBe(`${name}-to-${part.replace('/', '-')}`);
    const end = whole.nodes[whole.endpoints.get(part) as number];
    expect(graph.nodes.at(-1)?.shape).toEqual([1, 1, 3]);
    expect(graph.nodes[graph.endpoints.get('averagePooling') as number]?.shape[2]).toBe(end?.shape[2]);
  });

  it('leaves out options of parts that are cut off', () => {
    const options = { blocks: { A: 2, B: 2, C: 1 }, auxiliary: true, width: 0.5 };
    expect(cutNetwork(findNetwork('inception-v4'), { part: 'inceptionB', options }).options).toEqual({
      blocks: { A: 2, B: 2 },
      width: 0.5,
    });
    expect(cutNetwork(findNetwork('inception-v4'), { part: 'inceptionB/0', options }).options).toEqual({
      blocks: { A: 2 },
      width: 0.5,
    });
  });

  it.each(['stem/conv1', 'stem/-1', 'inceptionA/', 'inceptionA/4', 'inceptionA/1/branch1'])(
    'refuses %s, which is no layer or block',
    (part) => {
      expect(() => cutNetwork(findNetwork('inception-v4'), { part, options: {} })).toThrow(
        `inception-v4 cannot end after '${part}'; expected stem, inceptionA, reductionA, inceptionB, reductionB, inceptionC, averagePooling, dropout, logits, or a block of one that is repeated, as KEY/0`,
      );
    },
  );
});
