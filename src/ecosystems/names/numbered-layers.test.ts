import { describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { parametersOf } from '../../graph/graph.ts';
import { layerOf } from '../../graph/layer-names.ts';
import { canonicalNames, keras } from '../keras.ts';
import { withoutClassifier } from './numbered-layers.ts';

type Network = 'inception-v3' | 'inception-resnet-v2-released';
const order = readFixture<Record<Network, readonly string[]>>('keras/layer-order.json');
const networks: readonly Network[] = ['inception-v3', 'inception-resnet-v2-released'];

/** The weights of a network without its classifier, in Keras's order of layers: [canonical layer, parts with their shapes]. */
function layersOf(network: Network) {
  const graph = withoutClassifier(network);
  const nameOf = keras.networks[network]?.names(graph);
  const shapes = new Map<string, Map<string, readonly number[]>>();
  for (const parameter of parametersOf(graph)) {
    const name = nameOf?.(parameter) ?? '';
    if (name.endsWith('/gamma')) continue;
    const [height, width] = parameter.shape.slice(2);
    const [outputs = 0, inputs = 0] = parameter.shape;
    const shape = parameter.shape.length === 4 ? [height ?? 0, width ?? 0, inputs, outputs] : [outputs];
    const parts = shapes.get(layerOf(name)) ?? new Map<string, readonly number[]>();
    shapes.set(layerOf(name), parts.set(name.slice(layerOf(name).length + 1), shape));
  }
  // Our numbers begin with 1, those of a session of Keras 3 with none.
  const canonical = (name: string) =>
    name.replace(
      /^(conv2d|batch_normalization)(?:_(\d+))?$/,
      (_, kind: string, number = '0') => `${kind}_${Number(number) + 1}`,
    );
  return order[network].map((name) => [canonical(name), shapes.get(canonical(name)) ?? new Map()] as const);
}

const variable = '.ATTRIBUTES/VARIABLE_VALUE';
const variableOrder = ['kernel', 'bias', 'beta', 'moving_mean', 'moving_variance'];

type Spell = (
  layer: { kind: string; index: number; ofKind: number; variables: number },
  part: string,
) => string;
const spellings: Readonly<Record<string, Spell>> = {
  'numbered variables': ({ kind, ofKind }, part) => {
    const parts = kind === 'conv2d' ? variableOrder.slice(0, 2) : variableOrder.slice(2);
    return `layers/functional/layers/${kind}${ofKind === 0 ? '' : `_${ofKind}`}/vars/${parts.indexOf(part)}`;
  },
  'save_weights of TensorFlow’s format': ({ index }, part) =>
    `layer_with_weights-0/layer_with_weights-${index}/${part}/${variable}`,
  'a checkpoint of Keras 3': ({ index }, part) =>
    `model/_operations/1/_operations/${2 * index + 1}/${part === 'kernel' ? '_kernel' : part}/${variable}`,
  'a list of variables': ({ variables }) => `variables/${variables}/${variable}`,
};

describe('layers that a file numbers', () => {
  it.each(
    networks.flatMap((network) => Object.keys(spellings).map((spelling) => [spelling, network] as const)),
  )('are found in %s of %s by Keras’s order of layers', (spelling, network) => {
    const spell = spellings[spelling] as Spell;
    const tensors = new Map<string, { shape: readonly number[] }>();
    const expected = new Map<string, string>();
    const counts = { conv2d: 0, batch_normalization: 0 };
    let variables = 0;
    for (const [index, [layer, parts]] of layersOf(network).entries()) {
      const kind = parts.has('kernel') ? 'conv2d' : 'batch_normalization';
      const ofKind = counts[kind]++;
      for (const part of variableOrder.filter((part) => parts.has(part))) {
        const name = spell({ kind, index, ofKind, variables: variables++ }, part);
        tensors.set(name, { shape: parts.get(part) ?? [] });
        expected.set(name, `${layer}/${part}`);
      }
    }
    expect(tensors.size).toBe(network === 'inception-v3' ? 4 * 94 : 896);
    expect(new Map([...canonicalNames(tensors)].sort())).toEqual(new Map([...expected].sort()));
  });
});
