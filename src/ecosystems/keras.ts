/**
 * keras.applications: InceptionV3 and InceptionResNetV2. Most layers are numbered in order of creation
 * (conv2d_1, batch_normalization_1, …), which is the order of our graph. Batch normalisation has no gamma.
 */
import type { Role } from '../graph/graph.ts';
import { layerOf } from '../graph/layer-names.ts';
import { preprocessingPresets } from '../images/preprocess.ts';
import type { Dialect, DialectNames } from './dialect.ts';

/** Layers with explicit names. */
type NamedLayers = Readonly<Record<string, { readonly layer: string; readonly norm?: string }>>;

/** Name prefixes of the convolutions that end residual blocks. */
const residuals: Readonly<Record<string, string>> = {
  inceptionResnetA: 'block35',
  inceptionResnetB: 'block17',
  inceptionResnetC: 'block8',
};

const suffixes: Readonly<Record<Role, string>> = {
  convWeight: 'kernel',
  residualWeight: 'kernel',
  convBias: 'bias',
  linearWeight: 'kernel',
  linearBias: 'bias',
  gamma: 'gamma',
  beta: 'beta',
  movingMean: 'moving_mean',
  movingVariance: 'moving_variance',
};

const normRoles: ReadonlySet<Role> = new Set(['gamma', 'beta', 'movingMean', 'movingVariance']);

/** Names as standalone Keras 2 numbers them, from 1, without groups and `:0`; see {@link canonicalNames}. */
const numberedNames = (named: NamedLayers): DialectNames => ({
  names: (graph) => {
    const numbers = new Map<string, number>();
    for (const node of graph.nodes) {
      if (node.op === 'conv' && !node.attributes.bias && !named[node.path])
        numbers.set(node.path, numbers.size + 1);
    }
    const layerName = (layer: string, isNorm: boolean): string | undefined => {
      const residual = /^(\w+)\/(\d+)\/linear$/.exec(layer);
      if (residual) return `${residuals[residual[1] as string]}_${Number(residual[2]) + 1}_conv`;
      if (named[layer]) return isNorm ? named[layer].norm : named[layer].layer;
      const number = numbers.get(layer);
      return number === undefined ? undefined : `${isNorm ? 'batch_normalization' : 'conv2d'}_${number}`;
    };
    return ({ name, role }) => {
      const theirs = layerName(layerOf(name), normRoles.has(role));
      return theirs === undefined ? undefined : `${theirs}/${suffixes[role]}`;
    };
  },
});

/**
 * Maps the tensor names in a Keras file to canonical names: without groups and `:0`, with automatic numbers from 1. In a file,
 * a second network of a Keras session continues the numbers of the first, and tf.keras begins without a number.
 */
export function canonicalNames(names: Iterable<string>): ReadonlyMap<string, string> {
  const split = [...names].map((name) => {
    const parts = name.replace(/:\d+$/, '').split('/');
    return { name, layer: parts.at(-2) ?? '', part: parts.at(-1) ?? '' };
  });
  const automatic = /^(conv2d|batch_normalization)(?:_(\d+))?$/;
  const numbersByKind = new Map<string, Set<number>>();
  for (const { layer } of split) {
    const match = automatic.exec(layer);
    if (match) {
      const kind = match[1] as string;
      numbersByKind.set(kind, (numbersByKind.get(kind) ?? new Set()).add(Number(match[2] ?? 0)));
    }
  }
  const canonical = new Map(
    [...numbersByKind].flatMap(([kind, numbers]) =>
      [...numbers]
        .sort((a, b) => a - b)
        .map((number, index) => [number === 0 ? kind : `${kind}_${number}`, `${kind}_${index + 1}`] as const),
    ),
  );
  return new Map(split.map(({ name, layer, part }) => [name, `${canonical.get(layer) ?? layer}/${part}`]));
}

export const keras: Dialect<'keras'> = {
  name: 'keras',
  title: 'Keras',
  layout: 'tensorflow',
  gamma: false,
  networks: {
    'inception-resnet-v2-released': {
      anchors: ['conv_7b/kernel'],
      ...numberedNames({
        conv: { layer: 'conv_7b', norm: 'conv_7b_bn' },
        logits: { layer: 'predictions' },
      }),
    },
    'inception-v3': {
      anchors: ['conv2d_94/kernel'],
      ...numberedNames({ logits: { layer: 'predictions' } }),
    },
  },
  preprocessing: preprocessingPresets['tf-slim'],
  canonical: canonicalNames,
  ignored: /(^|\/)(optimizer|iterations|learning_rate)|\/(momentum|velocity)$/,
};
