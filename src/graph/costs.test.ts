/** Costs against those of the reference implementations (test/fixtures/macs.json) and the paper's own comparison. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configure, findNetwork, type NetworkOptions, networks } from '../networks/networks.ts';
import { buildGraph } from './build-graph.ts';
import { type Costs, costsOf, summariseLayers, summariseParts } from './costs.ts';
import type { Graph } from './graph.ts';

const graphOf = (name: string, options: NetworkOptions = {}): Graph =>
  buildGraph(configure(findNetwork(name), options));

describe('costs', () => {
  const fixture = new URL('../../test/fixtures/macs.json', import.meta.url);
  const { models } = JSON.parse(readFileSync(fixture, 'utf8')) as {
    models: Record<string, { total_macs: number; conv_and_linear_output_elements: number }>;
  };

  it.each<[network: string, options: NetworkOptions, reference: string]>([
    ['inception-v3', {}, 'torchvision_inception_v3'],
    ['inception-v3', { auxiliary: true }, 'torchvision_inception_v3 (training graph: + AuxLogits)'],
    ['inception-v3', {}, 'timm_inception_v3'],
    ['inception-v4', {}, 'cadene_inceptionv4'],
    ['inception-v4', {}, 'timm_inception_v4'],
    ['inception-resnet-v2-released', {}, 'cadene_inceptionresnetv2'],
    ['inception-resnet-v2-released', {}, 'timm_inception_resnet_v2'],
  ])('of %s %o are those of %s', (network, options, reference) => {
    const { macs, activations } = costsOf(graphOf(network, options));
    expect({ macs, activations }).toEqual({
      macs: models[reference]?.total_macs,
      activations: models[reference]?.conv_and_linear_output_elements,
    });
  });

  it.each<[network: string, options: NetworkOptions, gigaMacs: number]>([
    ['inception-resnet-v1', {}, 6.2],
    ['inception-resnet-v2', {}, 9.3],
    ['inception-resnet-v2', { blocks: { A: 10, B: 20, C: 10 } }, 14.1],
  ])('of %s as drawn %o are about %d G', (network, options, gigaMacs) => {
    expect(costsOf(graphOf(network, options)).macs / 1e9).toBeCloseTo(gigaMacs, 1);
  });

  it.each(networks.map(({ name }) => name))(
    'of the parts and of the layers of %s add up to the whole',
    (name) => {
      const graph = graphOf(name, { auxiliary: true });
      const sum = (parts: readonly Costs[]): Costs => ({
        parameters: parts.reduce((total, { parameters }) => total + parameters, 0),
        macs: parts.reduce((total, { macs }) => total + macs, 0),
        activations: parts.reduce((total, { activations }) => total + activations, 0),
      });
      expect(sum(summariseParts(graph))).toEqual(costsOf(graph));
      expect(sum(summariseLayers(graph))).toEqual(costsOf(graph));
    },
  );
});

describe('the parts of a network', () => {
  it("are the stem's layers, every block, and what stands between", () => {
    const parts = summariseParts(graphOf('inception-v4', { blocks: { A: 2, B: 1, C: 1 } }));
    expect(parts.map(({ name, what }) => (what === undefined ? name : `${name}: ${what}`))).toEqual([
      'stem/conv1: conv 3×3 stride 2',
      'stem/conv2: conv 3×3',
      'stem/conv3: conv 3×3',
      'stem/concat1',
      'stem/concat2',
      'stem/concat3',
      'inceptionA/0',
      'inceptionA/1',
      'reductionA',
      'inceptionB/0',
      'reductionB',
      'inceptionC/0',
      'averagePooling',
      'dropout',
      'logits',
    ]);
  });
});
