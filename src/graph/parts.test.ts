import { describe, expect, it } from 'vitest';
import { configure, findNetwork, type NetworkOptions, networks } from '../networks/networks.ts';
import { conv, fullyConnected, globalAvgPool, maxPool, type Network } from '../networks/notation.ts';
import { buildGraph } from './build-graph.ts';
import { isStatistic, parametersOf, parametersOfHead } from './graph.ts';
import { freezable, freeze, frozenNames, isAuxiliaryIdle, layerRates, partsOf } from './parts.ts';

const graphOf = (name: string, options: NetworkOptions = {}) =>
  buildGraph(configure(findNetwork(name), options));

const small = graphOf('inception-v3', { blocks: { A: 2, B: 1, C: 1 }, auxiliary: true });

describe('the parts of a network', () => {
  it('are its keys, and the blocks of repeated ones, in order', () => {
    expect(partsOf(small).map(({ name }) => name)).toEqual([
      ...['stem', 'inceptionA/0', 'inceptionA/1', 'reductionA', 'inceptionB/0', 'reductionB', 'inceptionC/0'],
      'logits',
    ]);
  });

  it.each(networks.map(({ name }) => name))('hold every parameter of %s exactly once', (name) => {
    const graph = graphOf(name, { auxiliary: true });
    const names = partsOf(graph).flatMap(({ parameters }) => parameters.map((each) => each.name));
    expect(names).toEqual(parametersOfHead(graph, 'main').map((each) => each.name));
  });

  it('have the classifier’s hidden layers in its own part', () => {
    const graph = graphOf('inception-v3', { hidden: [8, 4] });
    const last = partsOf(graph).at(-1);
    expect([last?.name, last?.parameters.length]).toEqual(['logits', 6]);
    expect(freezable(graph)).toEqual(freezable(graphOf('inception-v3')));
  });

  it('are those of a figure of your own', () => {
    const network: Network = {
      name: 'own',
      about: 'of the test',
      input: [32, 32, 3],
      classes: 5,
      layers: {
        first: conv('3x3', 8),
        pool: maxPool('3x3', 'stride 2'),
        second: conv('1x1', 8),
        average: globalAvgPool(),
        out: fullyConnected(),
      },
    };
    const graph = buildGraph(configure(network, {}));
    expect(freezable(graph)).toEqual(['first', 'second', 'all']);
    // What the classifier's hidden layers are called may be the name of another layer.
    const layers = { hidden: conv('1x1', 8), ...network.layers };
    const named = buildGraph(configure({ ...network, layers }));
    expect(partsOf(named).map(({ name }) => name)).toEqual(['hidden', 'first', 'second', 'out']);
    expect(named.features).toBe(named.endpoints.get('average'));
  });
});

describe('freezing', () => {
  const ends = (part: string) => {
    const names = [...frozenNames(freeze(small, part))];
    return { count: names.length, last: names.at(-1) };
  };

  it('keeps everything up to and including the part, statistics too', () => {
    expect(ends('inceptionA/0')).toEqual({
      count: partsOf(small)
        .slice(0, 2)
        .flatMap(({ parameters }) => parameters).length,
      last: 'inceptionA/0/branch3/conv1/movingVariance',
    });
    expect(frozenNames(small).size).toBe(0);
  });

  it('takes a repeated part’s key for all its blocks', () => {
    expect(ends('inceptionA')).toEqual(ends('inceptionA/1'));
    expect(ends('inceptionC')).toEqual(ends('all'));
  });

  it('leaves the classifier alone with ‘all’', () => {
    const graph = freeze(small, 'all');
    const left = parametersOf(graph).filter(({ name }) => !frozenNames(graph).has(name));
    expect(left.map(({ name }) => name).filter((name) => !name.startsWith('auxiliary'))).toEqual([
      'logits/weight',
      'logits/bias',
    ]);
  });

  it.each([
    [
      'inceptionX',
      "freeze: inception-v3 has no part 'inceptionX'; expected one of stem, inceptionA/0, inceptionA/1, inceptionA, reductionA, inceptionB/0, inceptionB, reductionB, inceptionC/0, inceptionC, all",
    ],
    [
      'logits',
      "freeze: 'logits' is the last part, and nothing would be left to train; expected one of stem, ",
    ],
    ['averagePooling', "freeze: inception-v3 has no part 'averagePooling'; "],
  ])('refuses %s and lists the parts there are', (part, message) => {
    expect(() => freeze(small, part)).toThrow(message);
  });

  it('knows whether the auxiliary head reads what is frozen', () => {
    expect(isAuxiliaryIdle(freeze(small, 'reductionA'))).toBe(false);
    expect(isAuxiliaryIdle(freeze(small, 'inceptionB'))).toBe(true);
    expect(isAuxiliaryIdle(freeze(small, 'reductionB'))).toBe(true);
  });
});

describe('layer decay', () => {
  it('falls from the classifier to the stem by part', () => {
    const rates = layerRates(small, { decay: 0.5 });
    expect(rates.get('logits/weight')).toBe(1);
    expect(rates.get('inceptionC/0/branch0/conv1/weight')).toBe(0.5);
    expect(rates.get('inceptionA/1/branch0/conv1/gamma')).toBe(0.5 ** 5);
    expect(rates.get('stem/conv1/weight')).toBe(0.5 ** 7);
    expect(rates.get('auxiliary/logits/bias')).toBe(1);
    const trainable = parametersOf(small).filter((parameter) => !isStatistic(parameter));
    expect(new Set(rates.keys())).toEqual(new Set(trainable.map(({ name }) => name)));
  });

  it('leaves frozen parameters out, and the others’ rates as they were', () => {
    const rates = layerRates(freeze(small, 'reductionA'), { decay: 0.5 });
    expect(rates.has('reductionA/branch0/conv1/weight')).toBe(false);
    expect(rates.get('inceptionB/0/branch0/conv1/weight')).toBe(0.5 ** 3);
  });

  it('is times another factor in what residual blocks add', () => {
    const options = { width: 0.125, inputSize: 75, blocks: { A: 1, B: 1, C: 1 } };
    const graph = buildGraph(configure(findNetwork('inception-resnet-v2'), options));
    const rates = layerRates(graph, { decay: 0.5, residual: 0.2 });
    // After block A stand five parts, after B three, after C the classifier.
    for (const [stage, after] of [
      ['A', 5],
      ['B', 3],
      ['C', 1],
    ] as const) {
      expect(rates.get(`inceptionResnet${stage}/0/linear/weight`)).toBeCloseTo(0.2 * 0.5 ** after, 12);
      expect(rates.get(`inceptionResnet${stage}/0/linear/bias`)).toBeCloseTo(0.2 * 0.5 ** after, 12);
      expect(rates.get(`inceptionResnet${stage}/0/branch0/conv1/gamma`)).toBe(0.5 ** after);
    }
    expect([...layerRates(graph, { residual: 0.2 }).values()].filter((rate) => rate !== 1)).toHaveLength(6);
  });
});
