/**
 * The names of keras.applications' InceptionV3 and InceptionResNetV2. Most layers there are numbered in the order of
 * their making (conv2d_1, batch_normalization_1, …), which is the order of our graph. Batch normalisation has no gamma.
 */
import type { Graph, Role } from '../graph/graph.ts';
import type { NameTable } from './names.ts';

/** Layers with names of their own. */
const named: Readonly<Record<string, Readonly<Record<string, { layer: string; norm?: string }>>>> = {
  'inception-v3': { logits: { layer: 'predictions' } },
  'inception-resnet-v2-released': {
    conv: { layer: 'conv_7b', norm: 'conv_7b_bn' },
    logits: { layer: 'predictions' },
  },
};

const linears: Readonly<Record<string, string>> = {
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

/** Names as standalone Keras 2 numbers them, from 1, without groups and `:0`; see {@link canonicalKerasNames}. */
export function kerasNames(graph: Graph): NameTable | undefined {
  const own = named[graph.network.name];
  if (!own) return undefined;
  const numbers = new Map<string, number>();
  for (const node of graph.nodes) {
    if (node.op === 'conv' && !node.attributes.bias && !own[node.path])
      numbers.set(node.path, numbers.size + 1);
  }
  return {
    parameter: (layer, { role }) => {
      const isNorm = role === 'gamma' || role === 'beta' || role.startsWith('moving');
      const linear = /^(\w+)\/(\d+)\/linear$/.exec(layer);
      const number = numbers.get(layer);
      const theirs = linear
        ? `${linears[linear[1] as string]}_${Number(linear[2]) + 1}_conv`
        : own[layer]
          ? isNorm
            ? own[layer].norm
            : own[layer].layer
          : number === undefined
            ? undefined
            : `${isNorm ? 'batch_normalization' : 'conv2d'}_${number}`;
      return theirs === undefined ? undefined : `${theirs}/${suffixes[role]}`;
    },
    stage: () => undefined,
  };
}

/**
 * The canonical name of every tensor in a Keras file, by the file's own name. Groups and `:0` go, and automatic numbers
 * begin at 1: a second network in one Keras session begins where the first ended, and tf.keras begins without a number.
 */
export function canonicalKerasNames(names: Iterable<string>): ReadonlyMap<string, string> {
  const split = [...names].map((name) => {
    const parts = name.replace(/:\d+$/, '').split('/');
    return { name, layer: parts.at(-2) ?? '', part: parts.at(-1) ?? '' };
  });
  const numbered = /^(conv2d|batch_normalization)(?:_(\d+))?$/;
  const found = new Map<string, Set<number>>();
  for (const { layer } of split) {
    const match = numbered.exec(layer);
    if (match) {
      const kind = match[1] as string;
      found.set(kind, (found.get(kind) ?? new Set()).add(Number(match[2] ?? 0)));
    }
  }
  const places = new Map(
    [...found].flatMap(([kind, numbers]) =>
      [...numbers]
        .sort((a, b) => a - b)
        .map((number, index) => [number === 0 ? kind : `${kind}_${number}`, `${kind}_${index + 1}`] as const),
    ),
  );
  return new Map(split.map(({ name, layer, part }) => [name, `${places.get(layer) ?? layer}/${part}`]));
}
