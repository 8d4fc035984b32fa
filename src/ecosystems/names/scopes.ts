/**
 * Names of TensorFlow variables by scope, as in the slim library. They are derived: `Conv2d_0c_3x3` is the third operation of
 * a branch, with a 3x3 window; `Conv2d_1a_3x3` has a stride. A table lists the exceptions that released checkpoints contain.
 */
import type { Graph, NodeOf, Role } from '../../graph/graph.ts';
import { layerOf } from '../../graph/layer-names.ts';
import type { DialectNames } from '../dialect.ts';

export interface ScopedNetwork {
  /** Prefix of every name, except those that begin with `/`. */
  readonly scope: string;
  /** Names of blocks by our path; for repeated blocks, a function of index and count. */
  readonly blocks: Readonly<Record<string, string | ((index: number, count: number) => string)>>;
  /** Names of layers that follow no rule. */
  readonly layers: Readonly<Record<string, string>>;
  /** Exceptions inside blocks: the actual name by the derived one. */
  readonly misnamed?: Readonly<Record<string, string>>;
  /** Whether a 1x1 convolution alone in its branch is `Conv2d_1x1`, without its position. */
  readonly plainSingles?: boolean;
}

export const lettered = (prefix: string) => (index: number) => prefix + String.fromCharCode(98 + index);
const numbered = (prefix: string) => (index: number) => `${prefix}_${index + 1}`;
const numberedButLast = (prefix: string, last: string) => (index: number, count: number) =>
  index === count - 1 ? last : `${prefix}_${index + 1}`;

/** Names of the convolutions of a stem without branches. */
export const chain = (layer: string, names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name, index) => [`${layer}/conv${index + 1}`, name]));

export const stemChain = [
  'Conv2d_1a_3x3',
  'Conv2d_2a_3x3',
  'Conv2d_2b_3x3',
  'Conv2d_3b_1x1',
  'Conv2d_4a_3x3',
] as const;

/** The blocks of the Inception-ResNets. */
export const residualBlocks: ScopedNetwork['blocks'] = {
  mixed5b: 'Mixed_5b',
  inceptionResnetA: numbered('Repeat/block35'),
  reductionA: 'Mixed_6a',
  inceptionResnetB: numbered('Repeat_1/block17'),
  reductionB: 'Mixed_7a',
  inceptionResnetC: numberedButLast('Repeat_2/block8', 'Block8'),
};

const suffixes: Readonly<Record<Role, string>> = {
  convWeight: '/weights',
  residualWeight: '/weights',
  convBias: '/biases',
  linearWeight: '/weights',
  hiddenWeight: '/weights',
  linearBias: '/biases',
  gamma: '/BatchNorm/gamma',
  beta: '/BatchNorm/beta',
  movingMean: '/BatchNorm/moving_mean',
  movingVariance: '/BatchNorm/moving_variance',
};

/** Training state in a checkpoint. */
export const scopeBookkeeping =
  /^(global_step|beta[12]_power)$|\/(RMSProp(_\d)?|Momentum|Adam(_\d)?|ExponentialMovingAverage)$/;

export const scopeNames = (network: ScopedNetwork): DialectNames => ({
  names: (graph) => {
    const convolutions = new Map(
      graph.nodes.flatMap((node) => (node.op === 'conv' ? [[node.path, node] as const] : [])),
    );
    return ({ name, role }) => {
      const layer = layerOf(name);
      const theirs = network.layers[layer] ?? nameInBlock(layer, { graph, network, convolutions });
      if (theirs === undefined) return undefined;
      return (theirs.startsWith('/') ? theirs.slice(1) : network.scope + theirs) + suffixes[role];
    };
  },
  stages: (graph) => (endpoint) => network.layers[endpoint] ?? blockName(endpoint, { graph, network }),
});

interface Context {
  readonly graph: Graph;
  readonly network: ScopedNetwork;
}

/** `inceptionB/3` is `Mixed_6e`, `stem/concat2` is `Mixed_4a`. */
function blockName(path: string, { graph, network }: Context): string | undefined {
  const direct = network.blocks[path];
  if (typeof direct === 'string') return direct;
  const match = /^(\w+)\/(\d+)$/.exec(path);
  const rule = match && network.blocks[match[1] as string];
  if (!match || typeof rule !== 'function') return undefined;
  const layer = graph.network.layers[match[1] as string];
  return rule(Number(match[2]), layer?.kind === 'repeat' ? layer.count : 1);
}

function nameInBlock(
  layer: string,
  { graph, network, convolutions }: Context & { convolutions: ReadonlyMap<string, NodeOf<'conv'>> },
): string | undefined {
  const match = /^(.*?)\/(?:(linear)|branch(\d+)\/(.*))$/.exec(layer);
  const block = match && blockName(match[1] as string, { graph, network });
  const node = convolutions.get(layer);
  if (!match || block === undefined || !node) return undefined;
  if (match[2]) return `${block}/Conv2d_1x1`;
  const [, path, , branch, inside] = match;
  const prefix = `${path}/branch${branch}`;
  const window = node.attributes.window.join('x');
  const alone = !convolutions.has(`${prefix}/conv2`) && inside === 'conv1' && !hasPool(graph, prefix);
  const position =
    alone && window === '1x1' && network.plainSingles
      ? ''
      : node.attributes.stride > 1
        ? '1a_'
        : `0${String.fromCharCode(97 + indexInBranch(inside as string, { graph, prefix, convolutions }))}_`;
  const name = `${block}/Branch_${branch}/Conv2d_${position}${window}`;
  return network.misnamed?.[name] ?? name;
}

const hasPool = (graph: Graph, prefix: string): boolean =>
  graph.nodes.some(({ path }) => path === `${prefix}/avgPool1` || path === `${prefix}/maxPool1`);

/** The index of a convolution among the operations of its branch; branches of an inner concatenation count in sequence. */
function indexInBranch(
  inside: string,
  {
    graph,
    prefix,
    convolutions,
  }: { graph: Graph; prefix: string; convolutions: ReadonlyMap<string, NodeOf<'conv'>> },
): number {
  const pools = hasPool(graph, prefix) ? 1 : 0;
  const inner = /^concat1\/branch(\d+)\/conv1$/.exec(inside);
  if (!inner) return pools + Number(inside.replace('conv', '')) - 1;
  const before = [...convolutions.keys()].filter((path) =>
    new RegExp(`^${prefix}/conv\\d+$`).test(path),
  ).length;
  return pools + before + Number(inner[1]);
}
