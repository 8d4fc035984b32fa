/** Costs of a graph: parameters, multiply-adds and activations, with one rule per operation. */
import type { Layers } from '../networks/notation.ts';
import {
  elementCount,
  formatShape,
  type Graph,
  type Head,
  isStatistic,
  type Node,
  type NodeOf,
  type Op,
  type Parameter,
  type Shape,
} from './graph.ts';
import { chainPaths, keyPath } from './layer-names.ts';

/** What a network, a part or a layer costs. */
export interface Costs {
  /** Trainable parameters. */
  readonly parameters: number;
  /** Multiply-adds of convolutions and fully connected layers for one image. */
  readonly macs: number;
  /** Values written by convolutions and fully connected layers for one image (timm's "activations"). */
  readonly activations: number;
}

type MacRule<K extends Op> = (node: NodeOf<K>) => number;

const noMacs = () => 0;

const perOutput = (node: Node): number => {
  const weight = node.parameters.members.map(
    (member) => (member as { weight?: Parameter }).weight?.shape ?? [0],
  );
  return weight.reduce((sum, shape) => sum + elementCount(shape), 0);
};

const macRules: { readonly [K in Op]: MacRule<K> } = {
  input: noMacs,
  conv: (node) => node.shape[0] * node.shape[1] * perOutput(node),
  batchNorm: noMacs,
  relu: noMacs,
  pad: noMacs,
  maxPool: noMacs,
  avgPool: noMacs,
  globalAvgPool: noMacs,
  concat: noMacs,
  slice: noMacs,
  scaledAdd: noMacs,
  dropout: noMacs,
  linear: perOutput,
};

/** Multiply-adds of one node for one image. */
export const macsOf = (node: Node): number => (macRules[node.op] as MacRule<Op>)(node);

const trainable = (parameters: readonly Parameter[]): number =>
  parameters.filter((each) => !isStatistic(each)).reduce((sum, each) => sum + elementCount(each.shape), 0);

export const costsOfNodes = (nodes: readonly Node[]): Costs => ({
  parameters: trainable(
    nodes.flatMap((node) =>
      node.parameters.members.flatMap((member) => Object.values(member) as Parameter[]),
    ),
  ),
  macs: nodes.reduce((sum, node) => sum + macsOf(node), 0),
  activations: nodes
    .filter((node) => node.op === 'conv' || node.op === 'linear')
    .reduce((sum, node) => sum + elementCount(node.shape), 0),
});

/** Costs of a whole graph; of the auxiliary head too, if it is there. */
export const costsOf = (graph: Graph): Costs => costsOfNodes(graph.nodes);

/** A layer or part with its output shape and costs. */
export interface LayerSummary extends Costs {
  /** `inceptionA/2/branch1/conv2`, or a whole part such as `inceptionA/2`. */
  readonly name: string;
  /** A layer in the words of the figures: `conv 3×3`, `maxPool 3×3 stride 2`; undefined for a part of several layers. */
  readonly what?: string;
  /** A layer's first operation. */
  readonly op?: Op;
  readonly shape: Shape;
}

/** One entry per layer of the figures, in order; a convolution includes its batch normalisation and ReLU. */
export function summariseLayers(graph: Graph): readonly LayerSummary[] {
  const byPath = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'input') byPath.set(node.path, [...(byPath.get(node.path) ?? []), node]);
  }
  return [...byPath].map(([name, nodes]) => {
    const [first] = nodes as [Node];
    return { name, op: first.op, what: describeNode(first), shape: first.shape, ...costsOfNodes(nodes) };
  });
}

function describeNode(node: Node): string {
  const { attributes } = node;
  if ('window' in attributes) {
    const stride = attributes.stride === 1 ? '' : ` stride ${attributes.stride}`;
    const groups = node.op === 'conv' ? node.attributes.groups : 1;
    const isDepthwise = groups > 1 && groups === node.shape[2];
    const what = `${isDepthwise ? 'depthwise' : node.op} ${formatShape(attributes.window)}${stride}`;
    return groups > 1 && !isDepthwise ? `${what} in ${groups} groups` : what;
  }
  return node.op === 'scaledAdd' ? `add × ${node.attributes.scale}` : node.op;
}

/** One entry per named part of the network (stem, inceptionA/0, …), in order, with the costs inside it. */
export function summariseParts(graph: Graph): readonly LayerSummary[] {
  const parts = partNames(graph);
  return parts.map((name) => {
    const inside = graph.nodes.filter((node) => node.path === name || node.path.startsWith(`${name}/`));
    const output = graph.nodes[graph.endpoints.get(name) as number] as Node;
    const [first] = inside as [Node];
    const single = 'window' in first.attributes && inside.every((node) => node.path === name);
    return {
      name,
      ...(single && { what: describeNode(first) }),
      shape: output.shape,
      ...costsOfNodes(inside),
    };
  });
}

/** The endpoints that together form the network: a stem's layers, a repetition's blocks, otherwise the layer of each key. */
function partNames({ network: { layers, auxiliary } }: Graph): string[] {
  const parts = (head: Head, headLayers: Layers) =>
    Object.entries(headLayers).flatMap(([key, layer]) => {
      const path = keyPath(head, key);
      if (layer.kind === 'sequence') return chainPaths(layer.layers, path);
      return layer.kind === 'repeat' ? Array.from({ length: layer.count }, (_, i) => `${path}/${i}`) : [path];
    });
  return [...parts('main', layers), ...(auxiliary ? parts('auxiliary', auxiliary.layers) : [])];
}
