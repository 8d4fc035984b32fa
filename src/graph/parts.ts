/**
 * The parts of a network, in order: the layer under each top-level key; of a repeated one, each block. Fine-tuning freezes up to a
 * part and lets learning rates fall from part to part. Everything follows from the figure's structure and the graph's endpoints.
 */
import { UsageError } from '../errors.ts';
import { hasHidden, hiddenKey } from '../networks/networks.ts';
import { type Graph, isStatistic, type Node, type Parameter } from './graph.ts';
import { keyPath } from './layer-names.ts';

/** A part of the network, without the auxiliary head, that has parameters. */
export interface NetworkPart {
  /** `stem`, `inceptionA/2`. */
  readonly name: string;
  /** The key that it stands under, which also names the last block of a repetition: `inceptionA`. */
  readonly key: string;
  /** Nodes are consecutive: this is the id after its last one. */
  readonly end: number;
  readonly nodes: readonly Node[];
  /** Trainable ones and statistics. */
  readonly parameters: readonly Parameter[];
}

/** A name that is no part of the network, or one that cannot be frozen. */
export class PartError extends UsageError {
  override name = 'PartError';
}

/** Everything but the classifier, instead of a part's name. */
export const allParts = 'all';

/** The parts that have parameters, from the image to the classifier, which its hidden layers belong to. */
export function partsOf(graph: Graph): readonly NetworkPart[] {
  const parts: NetworkPart[] = [];
  let begin = 0;
  const entries = Object.entries(graph.network.layers);
  const hidden = hasHidden(graph.network) ? entries.findIndex(([key]) => key === hiddenKey) : entries.length;
  for (const [index, [key, layer]] of entries.entries()) {
    if (index >= hidden && index < entries.length - 1) continue;
    const path = keyPath('main', key);
    const names =
      layer.kind === 'repeat'
        ? Array.from({ length: layer.count }, (_, block) => `${path}/${block}`)
        : [path];
    for (const name of names) {
      const end = (graph.endpoints.get(name) as number) + 1;
      const nodes = graph.nodes.slice(begin, end);
      const parameters = nodes.flatMap(parametersOfNode);
      if (parameters.length > 0) parts.push({ name, key: path, end, nodes, parameters });
      begin = end;
    }
  }
  return parts;
}

const parametersOfNode = ({ parameters: { members } }: Node): readonly Parameter[] =>
  members.flatMap((member) => Object.values(member) as Parameter[]);

/** The names that {@link freeze} takes for this network. */
export const freezable = (graph: Graph): readonly string[] => [
  ...new Set(
    partsOf(graph)
      .slice(0, -1)
      .flatMap(({ name, key }, index, parts) =>
        parts[index + 1]?.key === key || name === key ? [name] : [name, key],
      ),
  ),
  allParts,
];

/**
 * The graph with everything up to and including a part frozen: its parameters and statistics are constants. Pooling and dropout that
 * follow it belong to what is trained.
 * @param part a part's name, a repeated part's key for all its blocks, or 'all' for everything but the classifier.
 * @throws PartError listing the parts there are.
 */
export function freeze(graph: Graph, part: string): Graph {
  const parts = partsOf(graph);
  const before = parts.slice(0, -1);
  const last =
    part === allParts ? before.at(-1) : before.findLast(({ name, key }) => [name, key].includes(part));
  if (last) return { ...graph, frozenNodes: last.end };
  const classifier = parts.at(-1);
  const reason =
    part === classifier?.name || part === classifier?.key
      ? `'${part}' is the last part, and nothing would be left to train`
      : `${graph.network.name} has no part '${part}'`;
  throw new PartError(`freeze: ${reason}; expected one of ${freezable(graph).join(', ')}`);
}

/** Whether a node's parameters and statistics are constants of a training. */
export const isFrozen = ({ frozenNodes = 0 }: Graph, { id }: Node): boolean => id < frozenNodes;

/** Names of all parameters and statistics that a training leaves as they are. */
export const frozenNames = ({ nodes, frozenNodes = 0 }: Graph): ReadonlySet<string> =>
  new Set(
    nodes
      .slice(0, frozenNodes)
      .flatMap(parametersOfNode)
      .map(({ name }) => name),
  );

/** Whether the auxiliary head reads a frozen part, so that its loss would train nothing but itself. */
export const isAuxiliaryIdle = (graph: Graph): boolean =>
  graph.nodes.some(
    (node) => node.head === 'auxiliary' && node.inputs.some((id) => id < (graph.frozenNodes ?? 0)),
  );

/** Of the learning rate. */
export interface RateFactors {
  /** From each part to the one before it. Default 1. */
  readonly decay?: number | undefined;
  /** Of the last convolution of each residual block, which is what the block adds. Default 1. */
  readonly residual?: number | undefined;
}

/**
 * The factor of each trainable parameter's learning rate: decay ^ (number of parts after its own), as timm's
 * `param_groups_layer_decay` with the parts as groups: 1 for the classifier and, which is a classifier too, the auxiliary head; times
 * `residual` in the last convolutions of residual blocks. By name; without the frozen ones.
 */
export function layerRates(
  graph: Graph,
  { decay = 1, residual = 1 }: RateFactors,
): ReadonlyMap<string, number> {
  const frozen = frozenNames(graph);
  const residuals = new Set(graph.nodes.filter(isResidual).flatMap(parametersOfNode));
  const parts = partsOf(graph);
  const rates = parts.flatMap(({ parameters }, index) =>
    parameters.map((parameter) => ({ parameter, rate: decay ** (parts.length - 1 - index) })),
  );
  const auxiliary = graph.nodes
    .filter(({ head }) => head === 'auxiliary')
    .flatMap(parametersOfNode)
    .map((parameter) => ({ parameter, rate: 1 }));
  return new Map(
    [...rates, ...auxiliary]
      .filter(({ parameter }) => !isStatistic(parameter) && !frozen.has(parameter.name))
      .map(({ parameter, rate }) => [parameter.name, residuals.has(parameter) ? rate * residual : rate]),
  );
}

/** Whether a node is the last convolution of a residual block. */
export const isResidual = (node: Node): boolean =>
  node.op === 'conv' && node.parameters.members.some(({ weight }) => weight?.role === 'residualWeight');
