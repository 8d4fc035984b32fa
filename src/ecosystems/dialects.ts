/**
 * The ecosystems that distribute weights of these networks: how each names its tensors, lays them out, and what it forces
 * on the network. `docs/weights.md` is the page for people.
 */
import { type Graph, type Parameter, parametersOf } from '../graph/graph.ts';
import type { NetworkOptions } from '../networks/networks.ts';
import { canonicalKerasNames, kerasNames } from './keras-names.ts';
import { NamesError, type NameTable } from './names.ts';
import { slimNames } from './slim-names.ts';
import { torchNames } from './torch-names.ts';

export const dialectNames = [
  'timm',
  'torchvision',
  'cadene',
  'facenet',
  'keras',
  'tf-slim',
  'tf-facenet',
] as const;
export type DialectName = (typeof dialectNames)[number];

export interface Dialect {
  readonly name: DialectName;
  /** Convolutions [out, in, h, w] and dense [out, in], or [h, w, in, out] and [in, out]. */
  readonly layout: 'torch' | 'tensorflow';
  readonly names: (graph: Graph) => NameTable | undefined;
  /** The name of every tensor as `names` writes it, by the file's own; identity for most. */
  readonly canonical?: (names: Iterable<string>) => ReadonlyMap<string, string>;
  /** Networks of this dialect, each with tensors by which its files are known. */
  readonly anchors: Readonly<Record<string, readonly string[]>>;
  /** Whether batch normalisation has a gamma. TensorFlow's may have one; a file says. */
  readonly gamma: boolean;
  /** Networks whose average pooling counts its padding. */
  readonly countPadding?: readonly string[];
  /** Tensors that belong to training or bookkeeping and are left out. */
  readonly ignored: RegExp;
}

const torchBookkeeping = /\.num_batches_tracked$/;
const tensorflowBookkeeping =
  /^(global_step|beta[12]_power)$|\/(RMSProp(_\d)?|Momentum|Adam(_\d)?|ExponentialMovingAverage)$/;

const dialects: readonly Dialect[] = [
  {
    name: 'tf-slim',
    layout: 'tensorflow',
    names: (graph) => slimNames(graph, 'tf-slim'),
    anchors: {
      'inception-v3': ['InceptionV3/Conv2d_1a_3x3/weights'],
      'inception-v4': ['InceptionV4/Conv2d_1a_3x3/weights'],
      'inception-resnet-v2-released': ['InceptionResnetV2/Conv2d_1a_3x3/weights'],
    },
    gamma: false,
    ignored: tensorflowBookkeeping,
  },
  {
    name: 'tf-facenet',
    layout: 'tensorflow',
    names: (graph) => slimNames(graph, 'tf-facenet'),
    anchors: { 'inception-resnet-v1-facenet': ['InceptionResnetV1/Conv2d_1a_3x3/weights'] },
    gamma: false,
    // Centres of the center loss, and what the training script counts.
    ignored: new RegExp(`${tensorflowBookkeeping.source}|^centers$|^(learning_rate|batch_size|phase_train)`),
  },
  {
    name: 'facenet',
    layout: 'torch',
    names: (graph) => torchNames(graph, 'facenet'),
    anchors: { 'inception-resnet-v1-facenet': ['last_bn.weight', 'repeat_3.0.conv2d.weight'] },
    gamma: true,
    ignored: torchBookkeeping,
  },
  {
    name: 'torchvision',
    layout: 'torch',
    names: (graph) => torchNames(graph, 'torchvision'),
    anchors: { 'inception-v3': ['AuxLogits.fc.weight', 'Mixed_7c.branch_pool.conv.weight'] },
    gamma: true,
    countPadding: ['inception-v3'],
    ignored: torchBookkeeping,
  },
  {
    name: 'timm',
    layout: 'torch',
    names: (graph) => torchNames(graph, 'timm'),
    anchors: {
      'inception-v3': ['Mixed_7c.branch_pool.conv.weight'],
      // Cadene's names are the same; there is nothing to tell apart.
      'inception-v4': ['features.0.conv.weight', 'features.6.branch0.conv.weight'],
      'inception-resnet-v2-released': ['conv2d_7b.conv.weight', 'classif.weight'],
    },
    gamma: true,
    countPadding: ['inception-v3'],
    ignored: torchBookkeeping,
  },
  {
    name: 'cadene',
    layout: 'torch',
    names: (graph) => torchNames(graph, 'cadene'),
    anchors: {
      'inception-v4': ['features.0.conv.weight', 'features.6.branch0.conv.weight'],
      'inception-resnet-v2-released': ['conv2d_7b.conv.weight'],
    },
    gamma: true,
    ignored: torchBookkeeping,
  },
  {
    name: 'keras',
    layout: 'tensorflow',
    names: kerasNames,
    canonical: canonicalKerasNames,
    anchors: {
      'inception-resnet-v2-released': ['conv_7b/kernel'],
      'inception-v3': ['conv2d_94/kernel'],
    },
    gamma: false,
    ignored: /(^|\/)(optimizer|iterations|learning_rate)|\/(momentum|velocity)$/,
  },
];

/** @throws NamesError listing the dialects. */
export function findDialect(name: string): Dialect {
  const found = dialects.find((dialect) => dialect.name === name);
  if (found) return found;
  throw new NamesError(`no dialect is called '${name}'; there are ${dialectNames.join(', ')}`);
}

/** Which dialects and networks a file's names fit, the likeliest first. */
export function recogniseNames(names: Iterable<string>): { dialect: Dialect; network: string }[] {
  const own = new Set(names);
  return dialects.flatMap((dialect) => {
    const canonical = dialect.canonical ? new Set(dialect.canonical(own).values()) : own;
    return Object.entries(dialect.anchors)
      .filter(([, anchors]) => anchors.every((anchor) => canonical.has(anchor)))
      .map(([network]) => ({ dialect, network }))
      .slice(0, 1);
  });
}

/** What a dialect forces on a network. */
export const dialectOptions = (dialect: Dialect, network: string): NetworkOptions => ({
  ...(dialect.countPadding?.includes(network) && { countPadding: true }),
  ...(!dialect.gamma && { gamma: false }),
});

/** The dialect's names for a graph. @throws NamesError if it has no such network. */
export function nameTable(graph: Graph, dialect: Dialect): NameTable {
  const table = dialect.names(graph);
  if (table) return table;
  throw new NamesError(
    `${dialect.name} has no network like ${graph.network.name}; it has ${Object.keys(dialect.anchors).join(', ')}`,
  );
}

export const layerOf = ({ name }: Parameter): string => name.slice(0, name.lastIndexOf('/'));

/** Our names to theirs, complete. @throws NamesError if the network or a parameter has no name there. */
export function namesIn(dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> {
  const table = nameTable(graph, findDialect(dialectName));
  const names = new Map<string, string>();
  const nameless: string[] = [];
  for (const parameter of parametersOf(graph)) {
    const theirs = table.parameter(layerOf(parameter), parameter);
    if (theirs === undefined) nameless.push(parameter.name);
    else names.set(parameter.name, theirs);
  }
  if (nameless.length > 0) {
    throw new NamesError(
      `${dialectName} has no names for ${nameless.length} parameters of ${graph.network.name}: ${nameless.join(', ')}`,
    );
  }
  return names;
}

/** Stages of the other implementation by name, with our endpoints; only those that are a named part in both. */
export function stagesIn(dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> {
  const table = nameTable(graph, findDialect(dialectName));
  const stages = new Map<string, string>();
  for (const endpoint of graph.endpoints.keys()) {
    const theirs = table.stage(endpoint);
    if (theirs !== undefined) stages.set(theirs, endpoint);
  }
  return stages;
}
