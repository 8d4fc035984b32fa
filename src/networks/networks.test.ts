import { describe, expect, it } from 'vitest';
import { buildGraph, GraphError, smallestInput } from '../graph/build-graph.ts';
import { costsOf } from '../graph/costs.ts';
import { type Graph, type Node, type NodeOf, type Op, parametersAfterFeatures } from '../graph/graph.ts';
import { NetworkError } from './check-network.ts';
import { auxiliaryHead } from './figures/auxiliary-head.ts';
import {
  configure,
  findNetwork,
  knownNetworks,
  NetworkOptionError,
  type NetworkOptions,
  networks,
  registerNetwork,
} from './networks.ts';
import {
  conv,
  type FilterConcat,
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Network,
  type Repeat,
  repeat,
  type Stage,
  type Window,
} from './notation.ts';

const names = networks.map(({ name }) => name);
const graphOf = (name: string, options: NetworkOptions = {}): Graph =>
  buildGraph(configure(findNetwork(name), options));
const nodesOf = <K extends Op>(graph: Graph, op: K) =>
  graph.nodes.filter((node) => node.op === op) as NodeOf<K>[];
const endpoint = (graph: Graph, name: string) => graph.nodes[graph.endpoints.get(name) as number] as Node;
const blockCounts = (graph: Graph) =>
  ['A', 'B', 'C'].map(
    (stage) => [...graph.endpoints.keys()].filter((name) => name.match(`^inception.*${stage}/\\d+$`)).length,
  );

describe.each(names)('%s', (name) => {
  const residual = name.includes('resnet');

  it('has as many logits as classes', () => {
    expect(endpoint(graphOf(name, { classes: 10 }), 'logits').shape).toEqual([1, 1, 10]);
  });

  it('accepts an input that is not square and scales each side independently', () => {
    const tall = endpoint(graphOf(name, { inputSize: [299, 75] }), 'reductionB').shape;
    const wide = endpoint(graphOf(name, { inputSize: [75, 299] }), 'reductionB').shape;
    expect([...tall.slice(0, 2), ...wide.slice(0, 2)]).toEqual([8, 1, 1, 8]);
  });

  it.each([75, 96, 128, 224, 331])(
    'accepts an input of %i×%i pixels with the same number of parameters',
    (inputSize) => {
      expect(costsOf(graphOf(name, { inputSize })).parameters).toBe(costsOf(graphOf(name)).parameters);
    },
  );

  it('needs 75 pixels, and refuses 74 naming the layer and the minimum', () => {
    expect(smallestInput(configure(findNetwork(name)))).toBe(75);
    expect(() => graphOf(name, { inputSize: 74 })).toThrow(
      new GraphError(
        `reductionB/branch0/conv2: its 3×3 window is larger than the 2×2 grid it reads; ${name} needs an input of at least 75×75 pixels, received 74×74`,
      ),
    );
  });

  it.each([0.1, 0.25, 0.5, 1.5, 2])(
    'at width %d has filter counts that are multiples of 8, at least 8',
    (width) => {
      // The option `width` does not change an embedding.
      const filters = (graph: Graph) =>
        nodesOf(graph, 'batchNorm').filter(({ path }) => path !== 'embedding');
      const drawn = filters(graphOf(name));
      filters(graphOf(name, { width })).forEach((node, index) => {
        const exact = (drawn[index] as Node).shape[2] * width;
        expect(node.shape[2] % 8).toBe(0);
        expect(node.shape[2]).toBeGreaterThanOrEqual(8);
        expect(Math.abs(node.shape[2] - Math.max(8, exact))).toBeLessThanOrEqual(4);
      });
    },
  );

  it('has the requested number of blocks, and stages left out stay as drawn', () => {
    expect(blockCounts(graphOf(name, { blocks: { A: 1, B: 2, C: 1 } }))).toEqual([1, 2, 1]);
    const [A, , C] = blockCounts(graphOf(name));
    expect(blockCounts(graphOf(name, { blocks: { B: 12 } }))).toEqual([A, 12, C]);
  });

  it('applies the residual scale, if it has residuals', () => {
    const scales = (residualScale: NetworkOptions['residualScale']) => {
      const options = residualScale === undefined ? {} : { residualScale };
      const graph = graphOf(name, { blocks: { A: 1, B: 1, C: 2 }, ...options });
      return nodesOf(graph, 'scaledAdd').map(({ attributes }) => attributes.scale);
    };
    // The very last block of the released networks is always unscaled.
    const last = (scale: number) => (/(released|facenet)$/.test(name) ? 1 : scale);
    expect(scales(undefined)).toEqual(residual ? [0.17, 0.1, 0.2, last(0.2)] : []);
    expect(scales('off')).toEqual(residual ? [1, 1, 1, 1] : []);
    expect(scales(0.3)).toEqual(residual ? [0.3, 0.3, 0.3, last(0.3)] : []);
    expect(scales({ A: 0.11, C: 0.15 })).toEqual(residual ? [0.11, 0.1, 0.15, last(0.15)] : []);
  });

  it('loses its shortcuts and nothing else, if it has residuals', () => {
    const without = graphOf(name, { shortcuts: false });
    expect(nodesOf(without, 'scaledAdd')).toEqual([]);
    expect(costsOf(without)).toEqual(costsOf(graphOf(name)));
    const ops = (graph: Graph) => graph.nodes.map(({ op }) => op).filter((op) => op !== 'scaledAdd');
    expect(ops(without)).toEqual(ops(graphOf(name)));
  });

  it('has batch normalisation on all residual sums, on the last one, or on none', () => {
    const normalised = (sumNorm: 'none' | 'last' | 'all') => {
      const graph = graphOf(name, { blocks: { A: 1, B: 2, C: 2 }, sumNorm });
      return nodesOf(graph, 'batchNorm')
        .filter(({ inputs: [input] }) => graph.nodes[input as number]?.op === 'scaledAdd')
        .map(({ path }) => path);
    };
    const key = (stage: Stage) => findNetwork(name).stages?.[stage];
    const last = residual ? [`${key('C')}/1`] : [];
    expect(normalised('none')).toEqual([]);
    expect(normalised('last')).toEqual(last);
    expect(normalised('all')).toEqual(
      residual ? [`${key('A')}/0`, `${key('B')}/0`, `${key('B')}/1`, `${key('C')}/0`, ...last] : [],
    );
  });

  it('has the auxiliary classifier only with the option', () => {
    expect(graphOf(name).auxiliaryLogits).toBeUndefined();
    const graph = graphOf(name, { auxiliary: true, classes: 7, inputSize: 299 });
    expect((graph.nodes[graph.auxiliaryLogits as number] as Node).shape).toEqual([1, 1, 7]);
    expect(endpoint(graph, 'auxiliary/pooling').shape.slice(0, 2)).toEqual([5, 5]);
  });

  it('shrinks the windows of the auxiliary classifier to fit a smaller grid', () => {
    const graph = graphOf(name, { auxiliary: true, inputSize: 75 });
    expect(endpoint(graph, 'auxiliary/conv').shape).toEqual([1, 1, 768]);
  });

  it('sets the keep probability of dropout, 0.8 by default', () => {
    const keep = (options: NetworkOptions) =>
      nodesOf(graphOf(name, options), 'dropout').map(({ attributes }) => attributes.keep);
    expect([keep({}), keep({ dropoutKeep: 0.5 }), keep({ dropoutKeep: 1 })]).toEqual([[0.8], [0.5], [1]]);
  });

  it('gives every parameter a unique name', () => {
    const graph = graphOf(name, { auxiliary: true });
    const all = graph.nodes.flatMap(({ parameters }) =>
      parameters.members.flatMap((member) => Object.values(member).map((parameter) => parameter.name)),
    );
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a released Inception-ResNet-v2', () => {
  it('has no ReLU after its last block', () => {
    const { op } = endpoint(graphOf('inception-resnet-v2-released'), 'inceptionResnetC/9');
    expect(op).toBe('scaledAdd');
  });

  it('with a single C block keeps the last one', () => {
    const graph = graphOf('inception-resnet-v2-released', { blocks: { C: 1 } });
    expect(endpoint(graph, 'inceptionResnetC/0').op).toBe('scaledAdd');
  });
});

describe('hidden layers of the classifier', () => {
  const parameters = (options: NetworkOptions, network = 'inception-v3') =>
    costsOf(graphOf(network, options)).parameters;

  it('stand between the features and the classifier, before its dropout', () => {
    const graph = graphOf('inception-v3', { classes: 5, hidden: [256, 128] });
    expect([...graph.endpoints.keys()].slice(-6)).toEqual([
      'averagePooling',
      'hidden/dense1',
      'hidden/dense2',
      'hidden',
      'dropout',
      'logits',
    ]);
    expect(endpoint(graph, 'hidden')).toMatchObject({ op: 'relu', shape: [1, 1, 128] });
    expect(graph.features).toBe(graph.endpoints.get('averagePooling'));
    // Keras: Dense(256), Dense(128), Dense(5) on 2048 features, instead of Dense(5).
    const head = (2048 + 1) * 256 + (256 + 1) * 128 + (128 + 1) * 5;
    const without = parameters({ classes: 5 });
    expect(parameters({ classes: 5, hidden: [256, 128] }) - without).toBe(head - (2048 + 1) * 5);
    const after = parametersAfterFeatures(graph).map(({ name }) => name);
    expect(after).toEqual(
      ['hidden/dense1', 'hidden/dense2', 'logits'].flatMap((path) => [`${path}/weight`, `${path}/bias`]),
    );
  });

  it('read an embedding where there is one, and go with the classifier', () => {
    const facenet = graphOf('inception-resnet-v1-facenet', { hidden: [8] });
    expect(facenet.features).toBe(facenet.endpoints.get('embedding'));
    expect(parameters({ classes: 0, hidden: [8] })).toBe(parameters({ classes: 0 }));
    expect(parameters({ hidden: [] })).toBe(parameters({}));
    const own: Network = {
      ...findNetwork('inception-v3'),
      layers: { hidden: conv('1x1', 8), averagePooling: globalAvgPool(), logits: fullyConnected() },
      stages: {},
    };
    expect(() => configure(own, { hidden: [8] })).toThrow(
      "inception-v3 has a layer 'hidden' of its own; received hidden: 8",
    );
  });
});

describe('an option that cannot be applied', () => {
  it.each<[options: object, message: string]>([
    [
      { widht: 2 },
      "unknown network option 'widht'; there are classes, inputSize, width, blocks, residualScale, shortcuts, sumNorm, auxiliary, dropoutKeep, inputChannels, embedding, hidden, gamma, countPadding",
    ],
    [
      { classes: -1 },
      "network option 'classes': expected a whole number of at most 1000000, 0 for no classifier; received -1",
    ],
    [
      { classes: 0, auxiliary: true },
      'an auxiliary classifier needs classes; received classes: 0, auxiliary: true',
    ],
    [{ embedding: 128 }, 'inception-v4 has no embedding; received embedding: 128'],
    [
      { hidden: [0] },
      "network option 'hidden': expected a list of at most 8 whole numbers from 1 to 100000; received [0]",
    ],
    [
      { inputSize: [299] },
      "network option 'inputSize': expected a whole number of pixels of at most 4096, or [height, width]; received [299]",
    ],
    [{ width: -1 }, "network option 'width': expected a number above 0 and at most 64; received -1"],
    [
      { blocks: { A: 0 } },
      'network option \'blocks\': expected counts of 1 to 1000 for A, B or C, as { A: 5, B: 10, C: 5 }; received {"A":0}',
    ],
    [
      { blocks: { D: 2 } },
      'network option \'blocks\': expected counts of 1 to 1000 for A, B or C, as { A: 5, B: 10, C: 5 }; received {"D":2}',
    ],
    [
      { residualScale: 'on' },
      "network option 'residualScale': expected 'off', a number above 0, or one for A, B or C; received \"on\"",
    ],
    [{ auxiliary: 'yes' }, 'network option \'auxiliary\': expected true or false; received "yes"'],
    [
      { dropoutKeep: 1.5 },
      "network option 'dropoutKeep': expected a number above 0 and at most 1; received 1.5",
    ],
  ])('%o is rejected with the expected and the received value', (options, message) => {
    expect(() => configure(findNetwork('inception-v4'), options)).toThrow(new NetworkOptionError(message));
  });

  it('lists the networks when the name is unknown', () => {
    expect(() => findNetwork('inception-v5')).toThrow(
      new NetworkOptionError(
        "no network is called 'inception-v5'; there are inception-v3, inception-v4, inception-resnet-v1, inception-resnet-v2, inception-resnet-v2-released, inception-resnet-v1-facenet",
      ),
    );
  });
});

describe('a figure that is wrong', () => {
  const build = (network: Network) => buildGraph(configure(network));
  const v4 = findNetwork('inception-v4');
  const withLayer = (key: string, layer: Layer): Network => ({
    ...v4,
    layers: { ...v4.layers, [key]: layer },
  });

  it("says which branches disagree after one box of figure 4 is marked 'V'", () => {
    const figure4 = (v4.layers.inceptionA as Repeat).block as FilterConcat;
    const branches = figure4.branches.map((branch, index) =>
      index === 1 ? [branch[0] as Layer, conv('3x3', 96, 'V')] : branch,
    );
    expect(() => build(withLayer('inceptionA', repeat(4, { ...figure4, branches })))).toThrow(
      new GraphError('inceptionA/0: branches disagree: 35×35×96, 33×33×96, 35×35×96, 35×35×96'),
    );
  });

  it.each(['3x', '0x3', '3', '3 x 3', 'x3'])("refuses the window '%s'", (window) => {
    expect(() => build(withLayer('stem', conv(window as Window, 32)))).toThrow(
      `a window is written as '3x3' or '1x7'; received '${window}'`,
    );
  });

  it('refuses same padding of an even window', () => {
    expect(() => build(withLayer('reductionA', conv('2x2', 32)))).toThrow(
      new GraphError('reductionA: same padding needs a window with odd sides, received 2x2'),
    );
  });

  it('refuses an auxiliary classifier after an unknown layer', () => {
    const network = { ...v4, auxiliary: auxiliaryHead('inceptionD') };
    expect(() => buildGraph(configure(network, { auxiliary: true }))).toThrow(
      new GraphError("auxiliary: there is no layer 'inceptionD' to read"),
    );
  });
});

describe('registerNetwork', () => {
  const { conv: first, ...others } = {
    conv: conv('3x3', 8),
    pooling: globalAvgPool(),
    logits: fullyConnected(),
  };
  const custom: Network = {
    name: 'registered-in-a-test',
    about: 'for a test',
    input: [32, 32, 3],
    classes: 10,
    layers: { first, ...others },
  };

  it('makes a network available by its name', () => {
    expect(registerNetwork(custom)).toBe(custom);
    expect(findNetwork(custom.name)).toBe(custom);
    expect(knownNetworks()).toContain(custom);
    expect(networks).not.toContain(custom);
    expect(registerNetwork(structuredClone(custom)), 'again').toEqual(custom);
  });

  it.each<[differences: Partial<Network>, message: string]>([
    [{ classes: 5 }, "another network is already called 'registered-in-a-test'; choose a different name"],
    [{ name: 'inception-v4' }, "another network is already called 'inception-v4'; choose a different name"],
    [
      { name: 'my network' },
      "network 'my network': a name is letters, digits, '-', '.' and '_', as 'my-network-v2'",
    ],
    [
      { layers: { 'a/b': first, ...others } },
      "network 'registered-in-a-test': layers: 'a/b' cannot be a key; keys are letters and digits, as 'stem' or 'inceptionA', and not auxiliary or input",
    ],
    [
      { layers: { auxiliary: first, ...others } },
      "network 'registered-in-a-test': layers: 'auxiliary' cannot be a key; keys are letters and digits, as 'stem' or 'inceptionA', and not auxiliary or input",
    ],
    [
      { layers: { first } },
      "network 'registered-in-a-test': layers: the last layer must be fullyConnected(), which has one output per class",
    ],
    [
      { stages: { A: 'first' } },
      "network 'registered-in-a-test': stages.A: 'first' is not the key of a repeat(...)",
    ],
    [
      { auxiliary: auxiliaryHead('second') },
      "network 'registered-in-a-test': auxiliary.after: there is no layer 'second'",
    ],
  ])('refuses %o', (differences, message) => {
    expect(() => registerNetwork({ ...custom, ...differences })).toThrow(new NetworkError(message));
  });
});
