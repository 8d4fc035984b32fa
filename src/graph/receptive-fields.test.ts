/** Receptive fields against those that TensorFlow and PyTorch found (test/fixtures/receptive-fields). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configure, findNetwork } from '../networks/networks.ts';
import { conv, filterConcat, globalAvgPool, type Network, sum } from '../networks/notation.ts';
import { buildGraph } from './build-graph.ts';
import { fieldOfUnit, outputNode, receptiveFields } from './receptive-fields.ts';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../test/fixtures/receptive-fields/${name}`, import.meta.url), 'utf8'));

/** TF-Slim's endpoints by our names. */
const blocks = (grid: string, letters: string, stage: string) =>
  Object.fromEntries([...letters].map((letter, index) => [`Mixed_${grid}${letter}`, `${stage}/${index}`]));
const plainStem = {
  Conv2d_1a_3x3: 'stem/conv1',
  Conv2d_2a_3x3: 'stem/conv2',
  Conv2d_2b_3x3: 'stem/conv3',
  MaxPool_3a_3x3: 'stem/maxPool1',
  Conv2d_3b_1x1: 'stem/conv4',
  Conv2d_4a_3x3: 'stem/conv5',
  MaxPool_5a_3x3: 'stem/maxPool2',
};
const reductions = { Mixed_6a: 'reductionA', Mixed_7a: 'reductionB' };
const names: Record<string, Record<string, string>> = {
  inception_v3: {
    ...plainStem,
    ...reductions,
    ...blocks('5', 'bcd', 'inceptionA'),
    ...blocks('6', 'bcde', 'inceptionB'),
    ...blocks('7', 'bc', 'inceptionC'),
  },
  inception_v4: {
    ...plainStem,
    ...reductions,
    Mixed_3a: 'stem/concat1',
    Mixed_4a: 'stem/concat2',
    Mixed_5a: 'stem/concat3',
    ...blocks('5', 'bcde', 'inceptionA'),
    ...blocks('6', 'bcdefgh', 'inceptionB'),
    ...blocks('7', 'bcd', 'inceptionC'),
  },
  inception_resnet_v2: {
    ...plainStem,
    ...reductions,
    Mixed_5b: 'mixed5b',
    PreAuxLogits: 'inceptionResnetB',
    Conv2d_7b_1x1: 'conv',
  },
};

/** The network of make.py. */
const padded: Network = {
  name: 'padded',
  about: 'same padding before strides',
  input: [46, 61, 3],
  classes: 0,
  layers: {
    conv1: conv('3x3', 3, 'stride 2'),
    conv2: conv('5x3', 3),
    block: sum([conv('1x1', 3)], [conv('1x7', 3), conv('3x1', 3)]),
    conv3: conv('3x3', 3, 'stride 3'),
    conv4: conv('1x1', 3, 'stride 2'),
    last: conv('3x3', 3, 'stride 2'),
  },
};

describe('receptiveFields', () => {
  it.each([
    ['inception_v3', 'inception-v3'],
    ['inception_v4', 'inception-v4'],
    ['inception_resnet_v2', 'inception-resnet-v2-released'],
  ])('of %s are those that TensorFlow computes', (slim, network) => {
    const graph = buildGraph(configure(findNetwork(network)));
    const fields = receptiveFields(graph);
    const expected = fixture('tf-slim.json')[slim] as Record<string, [number, number, number]>;
    for (const [endpoint, [size, stride, padding]] of Object.entries(expected)) {
      const node = outputNode(graph, names[slim]?.[endpoint] ?? '');
      const axis = { size, stride, start: 0 - padding };
      expect(fields[node?.id ?? -1], endpoint).toEqual({ vertical: axis, horizontal: axis });
    }
  });

  it('tell the two directions of a 1x7 window apart', () => {
    const graph = buildGraph(configure(findNetwork('inception-resnet-v2')));
    const field = (path: string) => receptiveFields(graph)[outputNode(graph, path)?.id ?? -1];
    const before = field('inceptionResnetB/0/branch1/conv1');
    const after = field('inceptionResnetB/0/branch1/conv2');
    expect(after?.vertical).toEqual(before?.vertical);
    expect(after?.horizontal?.size).toBe((before?.horizontal?.size ?? 0) + 6 * 16);
  });

  it('have no single stride where branches move by different ones', () => {
    // Both branches have 3 units of 7 pixels: by strides of 2 and of 3.
    const graph = buildGraph(
      configure({
        ...padded,
        input: [7, 7, 3],
        layers: {
          mixed: filterConcat([conv('3x3', 3, 'stride 2 V')], [conv('1x1', 3, 'stride 3')]),
          conv: conv('3x3', 3),
          pooled: globalAvgPool(),
        },
      }),
    );
    expect(receptiveFields(graph).at(-1)).toEqual({ vertical: undefined, horizontal: undefined });
    const pixels = (path: string, row: number) =>
      fieldOfUnit(graph, outputNode(graph, path)?.id ?? -1, { row, column: 0 });
    expect(pixels('mixed', 2)).toEqual({ top: 4, left: 0, bottom: 6, right: 2 });
    expect(pixels('pooled', 0)).toEqual({ top: 0, left: 0, bottom: 6, right: 6 });
  });
});

describe('fieldOfUnit', () => {
  const cases = fixture('units.json') as Record<
    string,
    {
      input: [number, number];
      fields: { layer: string; unit: [number, number]; pixels: [number, number, number, number] }[];
    }
  >;

  it.each(Object.keys(cases))('of units of %s is where PyTorch finds a gradient', (name) => {
    const { input, fields } = cases[name] as (typeof cases)[string];
    const network = name === 'padded' ? padded : findNetwork(name);
    const graph = buildGraph(configure(network, { inputSize: input, classes: 0 }));
    for (const { layer, unit, pixels } of fields) {
      const [row, column] = unit;
      const { top, left, bottom, right } = fieldOfUnit(graph, outputNode(graph, layer)?.id ?? -1, {
        row,
        column,
      });
      expect([top, left, bottom, right], `${layer} ${unit}`).toEqual(pixels);
    }
  });

  it('refuses a unit that the layer does not have', () => {
    const graph = buildGraph(configure(padded));
    expect(() => fieldOfUnit(graph, graph.logits, { row: 9, column: 0 })).toThrow(
      'unit 9,0: expected a row from 0 to 1 and a column from 0 to 2',
    );
  });
});
