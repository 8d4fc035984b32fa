/**
 * keras.applications: InceptionV3 and InceptionResNetV2. Most layers are numbered in order of creation
 * (conv2d_1, batch_normalization_1, …), which is the order of our graph. Batch normalisation has no gamma.
 */
import type { Graph, Role } from '../graph/graph.ts';
import { layerOf } from '../graph/layer-names.ts';
import { preprocessingPresets } from '../images/preprocess.ts';
import type { Dialect, DialectNames } from './dialect.ts';
import { settingsIn } from './model-settings.ts';
import {
  type NumberedLayer,
  numberedLayers,
  numberedTensors,
  type Shapes,
  withoutClassifier,
} from './names/numbered-layers.ts';

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
  hiddenWeight: 'kernel',
  linearBias: 'bias',
  gamma: 'gamma',
  beta: 'beta',
  movingMean: 'moving_mean',
  movingVariance: 'moving_variance',
};

const normRoles: ReadonlySet<Role> = new Set(['gamma', 'beta', 'movingMean', 'movingVariance']);

/** A layer's name as standalone Keras 2 numbers it, from 1, without groups and `:0`; see {@link canonicalNames}. */
type LayerName = (layer: string, isNorm: boolean) => string | undefined;

function layerNames({ nodes }: Graph, named: NamedLayers): LayerName {
  const numbers = new Map<string, number>();
  for (const node of nodes) {
    if (node.op === 'conv' && !node.attributes.bias && !named[node.path])
      numbers.set(node.path, numbers.size + 1);
  }
  return (layer, isNorm) => {
    const residual = /^(\w+)\/(\d+)\/linear$/.exec(layer);
    if (residual) return `${residuals[residual[1] as string]}_${Number(residual[2]) + 1}_conv`;
    if (named[layer]) return isNorm ? named[layer].norm : named[layer].layer;
    const number = numbers.get(layer);
    return number === undefined ? undefined : `${isNorm ? 'batch_normalization' : 'conv2d'}_${number}`;
  };
}

const namesOf = (network: string): DialectNames => ({
  names: (graph) => {
    const layerName = layerNames(graph, namedLayers[network] ?? {});
    return ({ name, role }) => {
      const theirs = layerName(layerOf(name), normRoles.has(role));
      return theirs === undefined ? undefined : `${theirs}/${suffixes[role]}`;
    };
  },
});

const normParts: ReadonlySet<string> = new Set([...normRoles].map((role) => suffixes[role]));

/** Training state, and the random state of augmentation. */
const ignored =
  /(^|\/)(optimizer|metrics|iterations|learning_rate|save_counter|seed_generator|_?random_)|\/(momentum|velocity)$|\.OPTIMIZER_SLOT/;

const classifier = 'predictions';

const namedLayers: Readonly<Record<string, NamedLayers>> = {
  'inception-resnet-v2-released': {
    conv: { layer: 'conv_7b', norm: 'conv_7b_bn' },
    logits: { layer: classifier },
  },
  'inception-v3': { logits: { layer: classifier } },
};

/**
 * Maps the tensor names in a Keras file to canonical names: without groups and `:0`, with automatic numbers from 1. In a file,
 * a second network of a Keras session continues the numbers of the first, and tf.keras begins without a number.
 */
export function canonicalNames(tensors: Shapes): ReadonlyMap<string, string> {
  const [bookkeeping, own] = [
    new Map<string, string>(),
    new Map<string, { readonly shape: readonly number[] }>(),
  ];
  for (const [name, info] of tensors) {
    // An optimiser keeps tensors under the names of the weights.
    if (ignored.test(name)) bookkeeping.set(name, name);
    else own.set(name, info);
  }
  const layers = numberedLayers(own);
  const numbered = numberedTensors(layers, { tensors: own, networks: Object.keys(namedLayers) });
  const split = splitNames(
    [...own.keys()].filter((name) => !numbered.has(name)),
    layers,
  );
  const names = automaticNames(split.map(({ layer }) => layer));
  const namesIn = new Map(
    [...new Set([...numbered.values()].map(({ network }) => network))].map((network) => [
      network,
      layerNames(withoutClassifier(network), namedLayers[network] ?? {}),
    ]),
  );
  return new Map([
    ...bookkeeping,
    ...[...numbered].map(([name, { network, path, part }]) => {
      const layer = namesIn.get(network)?.(path, normParts.has(part)) ?? path;
      return [name, `${layer}/${part}`] as const;
    }),
    ...split.map(({ name, layer, part }) => [name, `${names.get(layer) ?? layer}/${part}`] as const),
  ]);
}

/** Layer and part of each tensor: those of a numbered layer, else the last two words of its name. */
function splitNames(names: readonly string[], layers: readonly NumberedLayer[]) {
  const numbered = new Map(
    layers.flatMap(({ key, parts }) =>
      [...parts].map(([part, name]) => [name, { layer: key, part }] as const),
    ),
  );
  return names.map((name) => {
    const words = name.replace(/:\d+$/, '').split('/');
    const { layer, part } = numbered.get(name) ?? { layer: words.at(-2) ?? '', part: words.at(-1) ?? '' };
    return { name, layer, part };
  });
}

/** Layers with automatic names by those that they would have in a file of their own. */
function automaticNames(layers: readonly string[]): Map<string, string> {
  const automatic = /^(conv2d|batch_normalization)(?:_(\d+))?$/;
  const numbersByKind = new Map<string, Set<number>>();
  for (const layer of layers) {
    const match = automatic.exec(layer);
    if (match) {
      const kind = match[1] as string;
      numbersByKind.set(kind, (numbersByKind.get(kind) ?? new Set()).add(Number(match[2] ?? 0)));
    }
  }
  return new Map(
    [...numbersByKind].flatMap(([kind, numbers]) =>
      [...numbers]
        .sort((a, b) => a - b)
        .map((number, index) => [number === 0 ? kind : `${kind}_${number}`, `${kind}_${index + 1}`] as const),
    ),
  );
}

export const keras: Dialect<'keras'> = {
  name: 'keras',
  title: 'Keras',
  layout: 'tensorflow',
  gamma: false,
  networks: {
    'inception-resnet-v2-released': {
      anchors: ['conv_7b/kernel'],
      ...namesOf('inception-resnet-v2-released'),
    },
    'inception-v3': {
      anchors: ['conv2d_94/kernel'],
      ...namesOf('inception-v3'),
    },
  },
  preprocessing: preprocessingPresets.keras,
  canonical: canonicalNames,
  settings: settingsIn,
  flat: true,
  ignored,
};
