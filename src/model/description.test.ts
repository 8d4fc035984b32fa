import { describe, expect, it } from 'vitest';
import { standardPreprocessing } from '../images/preprocess.ts';
import { networks, registerNetwork } from '../networks/networks.ts';
import {
  conv,
  depthwise,
  fullyConnected,
  globalAvgPool,
  type Layer,
  maxPool,
  type Network,
  relu,
  repeat,
  residual,
  sequence,
  sum,
} from '../networks/notation.ts';
import {
  graphOf,
  type ModelDescription,
  ModelError,
  modelMetadata,
  parseDescription,
} from './description.ts';

const custom: Network = {
  name: 'custom-network',
  about: 'for a test',
  input: [32, 32, 3],
  classes: 10,
  samePadding: 'torch',
  epsilon: 1e-5,
  layers: {
    stem: sequence(conv('7x7', 16, 'stride 2'), maxPool('3x3', 'stride 2')),
    blocks: repeat(
      2,
      sum([], [depthwise('3x3', 'Linear', { norm: false }), relu(), conv('1x1', 16, 'Linear')]),
    ),
    residual: residual({ scale: 0.2 }, [conv('3x3', 8, undefined, { groups: 2 })]),
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
  stages: { A: 'blocks' },
};

const descriptionOf = (network: string): ModelDescription => ({
  network,
  options: { classes: 3, blocks: { A: 3 } },
  classes: ['a', 'b', 'c'],
  preprocessing: standardPreprocessing([32, 32]),
});

const stored = (network: string): string => modelMetadata(descriptionOf(network)).model as string;

describe('the description of a registered network', () => {
  it('contains its figure, so that the same graph is built where it is not registered', () => {
    registerNetwork(custom);
    const graph = graphOf(descriptionOf('custom-network'));
    const elsewhere = stored('custom-network').replaceAll('custom-network', 'unregistered');
    const read = parseDescription(elsewhere, 'x.safetensors');
    expect(read.figure?.name).toBe('unregistered');
    expect(graphOf(read).nodes).toEqual(graph.nodes);
    expect(JSON.parse(modelMetadata(read).model as string)).toEqual(JSON.parse(elsewhere));
  });

  it('is rejected without its figure', () => {
    const text = stored('inception-v4').replaceAll('inception-v4', 'unregistered');
    expect(() => graphOf(parseDescription(text, 'x.safetensors'))).toThrow(
      /^no network is called 'unregistered'; there are inception-v3, /,
    );
  });

  it('contains no figure for a network of the package', () => {
    for (const { name } of networks) expect(JSON.parse(stored(name))).not.toHaveProperty('figure');
  });
});

describe('a figure in a file', () => {
  const withLayer = (layer: unknown) => {
    const { figure, ...rest } = JSON.parse(stored('custom-network')) as { figure: Network };
    const layers = { ...figure.layers, blocks: layer as Layer };
    return JSON.stringify({ ...rest, figure: { ...figure, layers, stages: {} } });
  };
  const nested = (depth: number): unknown => (depth === 0 ? relu() : sequence(nested(depth - 1) as Layer));

  it.each<[what: string, text: () => string, message: RegExp]>([
    ['an unknown kind', () => withLayer({ kind: 'lstm' }), /figure\.layers\.blocks\.kind: Invalid/],
    [
      'malformed marks',
      () => withLayer({ kind: 'maxPool', window: '3x3', marks: 'stride two' }),
      /figure\.layers\.blocks\.marks: marks are 'V', 'stride 2'/,
    ],
    [
      'a malformed window',
      () => withLayer({ kind: 'maxPool', window: '3' }),
      /blocks\.window: a window is written/,
    ],
    ['too many levels', () => withLayer(nested(100)), /figure: nested deeper than 64/],
    [
      'too many layers',
      () => withLayer(repeat(1000, repeat(1000, relu()))),
      /figure: network 'custom-network': layers: 1000006 layers exceed the maximum of 20000/,
    ],
  ])('with %s is rejected, naming the position', (_, text, message) => {
    registerNetwork(custom);
    const read = () => parseDescription(text(), 'x.safetensors');
    expect(read).toThrow(ModelError);
    expect(read).toThrow(message);
  });
});
