/** The graph: every operation of a network with its inputs, shape and parameters. */
import type { Quantisation } from '../int8/quantisation.ts';
import type { ConfiguredNetwork } from '../networks/networks.ts';

/** [height, width, channels], as the figures print them. Programs use [n, c, h, w] (see `compile/program.ts`). */
export type Shape = readonly [height: number, width: number, channels: number];

export type Pair = readonly [vertical: number, horizontal: number];

/** Attributes of each operation. Every table over operations is typed by this interface. */
export interface Attributes {
  input: Record<never, never>;
  /** Cross-correlation; parameters `weight` and, if `bias`, `bias`. */
  conv: {
    readonly window: Pair;
    readonly stride: number;
    readonly padding: Pair;
    /** Equal to the number of input channels for a depthwise convolution. */
    readonly groups: number;
    readonly bias: boolean;
    /** What inference passes have folded into weight and bias; undefined in figures. */
    readonly folded?: Folded;
    /** After the sum with `inputs[1]`, if a pass has fused one. */
    readonly relu?: Fused;
  };
  /** Over n, h and w; parameters `gamma` (unless the network has none), `beta`; statistics `movingMean`, `movingVariance`. */
  batchNorm: { readonly epsilon: number; readonly relu?: Fused };
  relu: Record<never, never>;
  /** Padding that differs between the sides of a grid; zeros, or −∞ before a maxPool. */
  pad: { readonly before: Pair; readonly after: Pair; readonly value: number };
  maxPool: { readonly window: Pair; readonly stride: number; readonly padding: Pair };
  avgPool: {
    readonly window: Pair;
    readonly stride: number;
    readonly padding: Pair;
    readonly countPadding: boolean;
  };
  /** Mean over height and width; the result is a 1×1 grid. */
  globalAvgPool: Record<never, never>;
  /** Concatenates channels. */
  concat: Record<never, never>;
  /** Channels `from` (inclusive) to `to` (exclusive). Created by merging sibling convolutions, never by a figure. */
  slice: { readonly from: number; readonly to: number };
  /** inputs[0] + scale · inputs[1]. */
  scaledAdd: { readonly scale: number; readonly relu?: Fused };
  dropout: { readonly keep: number };
  /** Parameters `weight` and, if `bias`, `bias`. */
  linear: { readonly bias: boolean };
}

/** Whether a pass has fused the ReLU after an operation; undefined in figures. */
type Fused = boolean;

/** output = scale · batchNorm(conv(input)), computed by one convolution with a bias. */
export interface Folded {
  readonly scale: number;
  readonly batchNorm?: { readonly epsilon: number; readonly parameters: ParametersOf<'batchNorm'> };
}

/** The operations of a graph. */
export type Op = keyof Attributes;

/** The classifier that a node belongs to; the auxiliary one exists only in training. */
export type Head = 'main' | 'auxiliary';

/** A node of one operation. */
export interface NodeOf<K extends Op> {
  readonly id: number;
  readonly op: K;
  readonly head: Head;
  /** Ids of the nodes whose results it reads; always smaller than its own id. */
  readonly inputs: readonly number[];
  /** The layer's name, the prefix of its parameters' names: `inceptionA/2/branch1/conv2`. */
  readonly path: string;
  readonly shape: Shape;
  readonly attributes: Attributes[K];
  readonly parameters: ParametersOf<K>;
}

/** The union of all operations' nodes. */
export type Node = { [K in Op]: NodeOf<K> }[Op];

/** What a parameter is to its layer. */
export type Role =
  | 'convWeight'
  /** Of the last convolution in a residual block, which is followed by a sum, without normalisation or ReLU. */
  | 'residualWeight'
  | 'convBias'
  | 'linearWeight'
  /** Of a fully connected layer that a ReLU follows. */
  | 'hiddenWeight'
  | 'linearBias'
  | 'gamma'
  | 'beta'
  | 'movingMean'
  | 'movingVariance';

/** A parameter of a network, trainable or a statistic. */
export interface Parameter {
  /** `layer path/weight`, `…/bias`, `…/gamma`, `…/beta`, `…/movingMean`, `…/movingVariance`. */
  readonly name: string;
  readonly role: Role;
  /** Convolutions [out, in / groups, h, w], fully connected layers [out, in], others [channels]. */
  readonly shape: readonly number[];
}

/**
 * A node's parameters, by part. A merged convolution has several members, whose parameters are consecutive; every other node has
 * one.
 */
export interface ParametersOf<K extends Op = Op> {
  readonly members: readonly MemberParameters<K>[];
}

type Part<K extends Op> = K extends 'conv' | 'linear'
  ? 'weight' | 'bias'
  : K extends 'batchNorm'
    ? 'gamma' | 'beta' | 'movingMean' | 'movingVariance'
    : never;

export type MemberParameters<K extends Op = Op> = { readonly [P in Part<K>]?: Parameter };

/** A network as nodes in an order in which they can be computed. */
export interface Graph {
  readonly network: ConfiguredNetwork;
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** Id of the logits; of the features for a network without a classifier. */
  readonly logits: number;
  /** Id of what the classifier reads, its hidden layers included; of the last node for a network without a classifier. */
  readonly features: number;
  readonly auxiliaryLogits: number | undefined;
  /** Node ids of the outputs of named parts: `stem`, `inceptionA/0`, …, in the order of the network. */
  readonly endpoints: ReadonlyMap<string, number>;
  /** Nodes with smaller ids are frozen in training: see `freeze`. Default 0. */
  readonly frozenNodes?: number;
  /** How the results of nodes are stored in 8 bits, by node id; those of all others are not. Set for int8 inference only. */
  readonly quantised?: ReadonlyMap<number, Quantisation>;
}

/** Every parameter and statistic of the graph, in the order of its nodes. */
export const parametersOf = (graph: Graph): readonly Parameter[] =>
  graph.nodes.flatMap((node) =>
    node.parameters.members.flatMap((member) => Object.values(member) as Parameter[]),
  );

const parametersAt = (graph: Graph, id: number): readonly Parameter[] =>
  (graph.nodes[id]?.parameters.members ?? []).flatMap((member) => Object.values(member) as Parameter[]);

/** Parameters of the layers with one output per class, including the auxiliary head's; none without classes. */
export function classifierParameters(graph: Graph): readonly Parameter[] {
  const { logits, auxiliaryLogits, network } = graph;
  const ids = auxiliaryLogits === undefined ? [logits] : [logits, auxiliaryLogits];
  return network.classes === 0 ? [] : ids.flatMap((id) => parametersAt(graph, id));
}

/** Parameters of everything that reads the features: the classifier's and its hidden layers', and the auxiliary head's classifier's. */
export function parametersAfterFeatures(graph: Graph): readonly Parameter[] {
  const { nodes, features, logits } = graph;
  const hidden = nodes.filter(({ id, head }) => head === 'main' && id > features && id < logits);
  return [...hidden.flatMap(({ id }) => parametersAt(graph, id)), ...classifierParameters(graph)];
}

/** The convolutions that read the images, whose weights depend on the number of input channels. */
export const firstConvolutions = (graph: Graph): readonly NodeOf<'conv'>[] =>
  graph.nodes.filter(
    (node): node is NodeOf<'conv'> =>
      node.op === 'conv' && node.inputs.some((id) => graph.nodes[id]?.op === 'input'),
  );

/** The parameters of one head. */
export const parametersOfHead = (graph: Graph, head: Head): readonly Parameter[] =>
  parametersOf({ ...graph, nodes: graph.nodes.filter((node) => node.head === head) });

export const isStatistic = ({ role }: Pick<Parameter, 'role'>): boolean =>
  role === 'movingMean' || role === 'movingVariance';

export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** 35×35×384 */
export const formatShape = (shape: readonly number[]): string => shape.join('×');
