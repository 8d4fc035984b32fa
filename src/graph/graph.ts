/** The graph: every operation of a network with its inputs, its shape and the names of its parameters. */
import type { ConfiguredNetwork } from '../networks/networks.ts';

/** [height, width, channels], as the figures print them. Programs use [n, c, h, w] (see `compile/program.ts`). */
export type Shape = readonly [height: number, width: number, channels: number];

export type Pair = readonly [vertical: number, horizontal: number];

/** What each operation needs to know besides its inputs. Every table over operations is typed by this one. */
export interface Attributes {
  input: Record<never, never>;
  /** Cross-correlation; parameters `weight` and, if `bias`, `bias`. */
  conv: {
    readonly window: Pair;
    readonly stride: number;
    readonly padding: Pair;
    /** As many as there are input channels is a depthwise convolution. */
    readonly groups: number;
    readonly bias: boolean;
    /** What inference's passes have moved into the weight and bias; figures have none. */
    readonly folded?: Folded;
    /** Whether a ReLU follows that inference's passes have moved in; such a convolution adds `inputs[1]`, if it has one, first. */
    readonly relu?: boolean;
  };
  /** Over n, h and w; parameters `gamma` (unless the network has none), `beta`; statistics `movingMean`, `movingVariance`. */
  batchNorm: { readonly epsilon: number };
  /** Both in one; made by fusing them, never by a figure. Parameters as `batchNorm`. */
  batchNormRelu: { readonly epsilon: number };
  relu: Record<never, never>;
  /** Pixels around the grid, where a window's padding differs between beginning and end; zeros, or −∞ before a maxPool. */
  pad: { readonly before: Pair; readonly after: Pair; readonly value: number };
  maxPool: { readonly window: Pair; readonly stride: number; readonly padding: Pair };
  avgPool: {
    readonly window: Pair;
    readonly stride: number;
    readonly padding: Pair;
    readonly countPadding: boolean;
  };
  /** Mean over height and width; a 1×1 grid comes out. */
  globalAvgPool: Record<never, never>;
  /** By depth. */
  concat: Record<never, never>;
  /** Channels `from` (inclusive) to `to` (exclusive). Made by merging sibling convolutions, never by a figure. */
  slice: { readonly from: number; readonly to: number };
  /** inputs[0] + scale · inputs[1], with a ReLU where training's passes have moved one in. */
  scaledAdd: { readonly scale: number; readonly relu?: boolean };
  dropout: { readonly keep: number };
  /** Parameters `weight` and, if `bias`, `bias`. */
  linear: { readonly bias: boolean };
}

/** output = scale · batchNorm(conv(input)), to be computed by one convolution with a bias. */
export interface Folded {
  readonly scale: number;
  readonly batchNorm?: { readonly epsilon: number; readonly parameters: ParametersOf<'batchNorm'> };
}

/** The operations of a graph. */
export type Op = keyof Attributes;

/** Which classifier a node computes; the auxiliary one is there in training only. */
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

/** One record of the union for each operation. */
export type Node = { [K in Op]: NodeOf<K> }[Op];

/** What a parameter is to its layer. */
export type Role =
  | 'convWeight'
  /** Of the convolution at the end of a residual block: a sum follows it, and neither normalisation nor ReLU. */
  | 'residualWeight'
  | 'convBias'
  | 'linearWeight'
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
  /** Convolutions [out, in / groups, h, w], dense layers [out, in], the rest [channels]. */
  readonly shape: readonly number[];
}

/**
 * Names of a node's parameters, by part. A merged convolution has several members, whose parameters lie one after the
 * other; every other node has one.
 */
export interface ParametersOf<K extends Op = Op> {
  readonly members: readonly MemberParameters<K>[];
}

type Part<K extends Op> = K extends 'conv' | 'linear'
  ? 'weight' | 'bias'
  : K extends 'batchNorm' | 'batchNormRelu'
    ? 'gamma' | 'beta' | 'movingMean' | 'movingVariance'
    : never;

export type MemberParameters<K extends Op = Op> = { readonly [P in Part<K>]?: Parameter };

/** A network as nodes in an order in which they can be computed. */
export interface Graph {
  readonly network: ConfiguredNetwork;
  /** In an order in which they can be computed. */
  readonly nodes: readonly Node[];
  /** Of a network without a classifier, its features. */
  readonly logits: number;
  readonly auxiliaryLogits: number | undefined;
  /** Node ids of the named parts' outputs: `stem`, `inceptionA/0`, …; insertion order is the network's. */
  readonly endpoints: ReadonlyMap<string, number>;
}

/** Every parameter and statistic of the graph, in the order of its nodes. */
export const parametersOf = (graph: Graph): readonly Parameter[] =>
  graph.nodes.flatMap((node) =>
    node.parameters.members.flatMap((member) => Object.values(member) as Parameter[]),
  );

const parametersAt = (graph: Graph, id: number): readonly Parameter[] =>
  (graph.nodes[id]?.parameters.members ?? []).flatMap((member) => Object.values(member) as Parameter[]);

/** Parameters of the layers that give one output for each class, the auxiliary head's too; none without classes. */
export function classifierParameters(graph: Graph): readonly Parameter[] {
  const { logits, auxiliaryLogits, network } = graph;
  const ids = auxiliaryLogits === undefined ? [logits] : [logits, auxiliaryLogits];
  return network.classes === 0 ? [] : ids.flatMap((id) => parametersAt(graph, id));
}

/** The convolutions that read the images: what another number of input channels changes. */
export const firstConvolutions = (graph: Graph): readonly NodeOf<'conv'>[] =>
  graph.nodes.filter(
    (node): node is NodeOf<'conv'> =>
      node.op === 'conv' && node.inputs.some((id) => graph.nodes[id]?.op === 'input'),
  );

/** The parameters of one head. */
export const parametersOfHead = (graph: Graph, head: Head): readonly Parameter[] =>
  parametersOf({ ...graph, nodes: graph.nodes.filter((node) => node.head === head) });

export const isStatistic = ({ role }: Parameter): boolean =>
  role === 'movingMean' || role === 'movingVariance';

export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** 35×35×384 */
export const formatShape = (shape: readonly number[]): string => shape.join('×');
