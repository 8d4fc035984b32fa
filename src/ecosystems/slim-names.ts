/**
 * The names of TF-Slim's variables (Inception-v3, -v4, Inception-ResNet-v2) and of facenet's, which follow them. They are
 * derived: `Conv2d_0c_3x3` is the third operation of a branch with a 3x3 window, `Conv2d_1a_3x3` one with a stride. Where
 * TF-Slim departs from its own rule, a table says so; released checkpoints carry those names.
 */
import type { Graph, NodeOf, Role } from '../graph/graph.ts';
import type { NameTable } from './names.ts';

interface SlimNetwork {
  readonly scope: string;
  /** Blocks and single layers by our path; `#` counts as the function says. */
  readonly blocks: Readonly<Record<string, string | ((index: number, count: number) => string)>>;
  /** Whole layers whose names follow no rule. */
  readonly layers: Readonly<Record<string, string>>;
  /** Names inside a block that break the rule. */
  readonly misnamed: Readonly<Record<string, string>>;
}

const lettered = (prefix: string) => (index: number) => prefix + String.fromCharCode(98 + index);
const numbered = (prefix: string) => (index: number) => `${prefix}_${index + 1}`;
const lastApart = (prefix: string, last: string) => (index: number, count: number) =>
  index === count - 1 ? last : `${prefix}_${index + 1}`;

const stemConvs = ['Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3'];
const stem = (convs: readonly string[]) =>
  Object.fromEntries(convs.map((name, index) => [`stem/conv${index + 1}`, name]));

const residualBlocks = {
  mixed5b: 'Mixed_5b',
  inceptionResnetA: numbered('Repeat/block35'),
  reductionA: 'Mixed_6a',
  inceptionResnetB: numbered('Repeat_1/block17'),
  reductionB: 'Mixed_7a',
  inceptionResnetC: lastApart('Repeat_2/block8', 'Block8'),
};

const slimNetworks: Readonly<Record<string, SlimNetwork>> = {
  'tf-slim inception-v3': {
    scope: 'InceptionV3/',
    blocks: {
      inceptionA: lettered('Mixed_5'),
      reductionA: 'Mixed_6a',
      inceptionB: lettered('Mixed_6'),
      reductionB: 'Mixed_7a',
      inceptionC: lettered('Mixed_7'),
    },
    layers: {
      ...stem(stemConvs),
      'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
      'auxiliary/conv': 'AuxLogits/Conv2d_2a_5x5',
      'auxiliary/logits': 'AuxLogits/Conv2d_2b_1x1',
      logits: 'Logits/Conv2d_1c_1x1',
    },
    misnamed: {
      'Mixed_5c/Branch_1/Conv2d_0a_1x1': 'Mixed_5c/Branch_1/Conv2d_0b_1x1',
      'Mixed_5c/Branch_1/Conv2d_0b_5x5': 'Mixed_5c/Branch_1/Conv_1_0c_5x5',
      'Mixed_6a/Branch_0/Conv2d_1a_3x3': 'Mixed_6a/Branch_0/Conv2d_1a_1x1',
      'Mixed_6a/Branch_1/Conv2d_1a_3x3': 'Mixed_6a/Branch_1/Conv2d_1a_1x1',
      'Mixed_7b/Branch_1/Conv2d_0c_3x1': 'Mixed_7b/Branch_1/Conv2d_0b_3x1',
    },
  },
  'tf-slim inception-v4': {
    scope: 'InceptionV4/',
    blocks: {
      'stem/concat1': 'Mixed_3a',
      'stem/concat2': 'Mixed_4a',
      'stem/concat3': 'Mixed_5a',
      inceptionA: lettered('Mixed_5'),
      reductionA: 'Mixed_6a',
      inceptionB: lettered('Mixed_6'),
      reductionB: 'Mixed_7a',
      inceptionC: lettered('Mixed_7'),
    },
    layers: {
      ...stem(stemConvs.slice(0, 3)),
      // Has a stride, but the name of one without.
      'stem/concat1/branch1/conv1': 'Mixed_3a/Branch_1/Conv2d_0a_3x3',
      'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
      'auxiliary/conv': 'AuxLogits/Conv2d_2a',
      'auxiliary/logits': 'AuxLogits/Aux_logits',
      logits: 'Logits/Logits',
    },
    misnamed: {
      'Mixed_4a/Branch_0/Conv2d_0b_3x3': 'Mixed_4a/Branch_0/Conv2d_1a_3x3',
      'Mixed_4a/Branch_1/Conv2d_0d_3x3': 'Mixed_4a/Branch_1/Conv2d_1a_3x3',
    },
  },
  'tf-slim inception-resnet-v2-released': {
    scope: 'InceptionResnetV2/',
    blocks: residualBlocks,
    layers: {
      ...stem(stemConvs),
      conv: 'Conv2d_7b_1x1',
      'auxiliary/projection': 'AuxLogits/Conv2d_1b_1x1',
      'auxiliary/conv': 'AuxLogits/Conv2d_2a_5x5',
      'auxiliary/logits': 'AuxLogits/Logits',
      logits: 'Logits/Logits',
    },
    misnamed: {},
  },
  'tf-facenet inception-resnet-v1-facenet': {
    scope: 'InceptionResnetV1/',
    blocks: residualBlocks,
    // facenet's training adds its classifier outside of the network's scope.
    layers: { ...stem([...stemConvs, 'Conv2d_4b_3x3']), embedding: 'Bottleneck', logits: '/Logits' },
    misnamed: {},
  },
};

const suffixes: Readonly<Record<Role, string>> = {
  convWeight: '/weights',
  residualWeight: '/weights',
  convBias: '/biases',
  linearWeight: '/weights',
  linearBias: '/biases',
  gamma: '/BatchNorm/gamma',
  beta: '/BatchNorm/beta',
  movingMean: '/BatchNorm/moving_mean',
  movingVariance: '/BatchNorm/moving_variance',
};

/** The names of a dialect, if it has this network. */
export function slimNames(graph: Graph, dialect: 'tf-slim' | 'tf-facenet'): NameTable | undefined {
  const network = slimNetworks[`${dialect} ${graph.network.name}`];
  if (!network) return undefined;
  const convolutions = new Map(
    graph.nodes.flatMap((node) => (node.op === 'conv' ? [[node.path, node] as const] : [])),
  );
  const layerName = (layer: string): string | undefined => {
    const known = network.layers[layer] ?? nameInBlock(layer, { graph, network, convolutions });
    if (known === undefined) return undefined;
    return known.startsWith('/') ? known.slice(1) : network.scope + known;
  };
  return {
    parameter: (layer, { role }) => {
      const theirs = layerName(layer);
      return theirs === undefined ? undefined : theirs + suffixes[role];
    },
    stage: (endpoint) => network.layers[endpoint] ?? blockName(endpoint, { graph, network }),
  };
}

interface Known {
  readonly graph: Graph;
  readonly network: SlimNetwork;
}

/** `inceptionB/3` is `Mixed_6e`, `stem/concat2` is `Mixed_4a`. */
function blockName(path: string, { graph, network }: Known): string | undefined {
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
  { graph, network, convolutions }: Known & { convolutions: ReadonlyMap<string, NodeOf<'conv'>> },
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
  const place =
    alone && window === '1x1' && network.blocks.inceptionResnetA !== undefined
      ? ''
      : node.attributes.stride > 1
        ? '1a_'
        : `0${String.fromCharCode(97 + placeInBranch(inside as string, { graph, prefix, convolutions }))}_`;
  const name = `${block}/Branch_${branch}/Conv2d_${place}${window}`;
  return network.misnamed[name] ?? name;
}

const hasPool = (graph: Graph, prefix: string): boolean =>
  graph.nodes.some(({ path }) => path === `${prefix}/avgPool1` || path === `${prefix}/maxPool1`);

/** Which operation of its branch a convolution is, from 0; the branches of an inner concatenation follow one another. */
function placeInBranch(
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
  const before = [...convolutions.keys()].filter((each) =>
    new RegExp(`^${prefix}/conv\\d+$`).test(each),
  ).length;
  return pools + before + Number(inner[1]);
}
