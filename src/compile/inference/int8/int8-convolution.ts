/** Which convolutions compute in int8, and with what: for the preparation of their weights and for the step alike. */
import type { Graph, Node, NodeOf } from '../../../graph/graph.ts';
import type { Quantisation } from '../../../int8/quantisation.ts';
import { consumersOf } from '../../../passes/rewrite.ts';
import { mergedName } from '../../layout.ts';
import { isPacked } from '../../rules/native-inference.ts';
import { membersOf } from '../../rules/rule.ts';

export interface Int8Convolution {
  readonly input: Quantisation;
  /** [c, h, w] of the input, padded where `pads`. */
  readonly inputSizes: readonly number[];
  readonly geometry: readonly [stride: readonly number[], padding: readonly number[]];
  /** Whether the input is padded by a step of its own: inside the convolution the padding is the byte 0, which is another value. */
  readonly pads: boolean;
  /** For so many filters each: the scale of the result, and what is added in its steps. */
  readonly output: readonly { readonly filters: number; readonly scale: number; readonly offset: number }[];
  /** The result is float32: what reads it has no range. */
  readonly floats: boolean;
  /** The byte of 0 in the result. */
  readonly zeroPoint: number;
  /** The residual's scale over the result's. */
  readonly sumScale: number;
}

/** Undefined for a convolution in float32: one of float32 values, or in groups. */
export function int8Convolution(node: NodeOf<'conv'>, graph: Graph): Int8Convolution | undefined {
  const [source, residual] = node.inputs.map((id) => graph.quantised?.get(id));
  if (!source || !isPacked(node)) return undefined;
  const hasSum = node.inputs.length > 1;
  const parts = outputParts(node, graph);
  if (hasSum && !(residual && parts)) return undefined;
  const { stride, padding } = node.attributes;
  const pads = source.zeroPoint !== 0 && padding.some((size) => size > 0);
  const [height, width, channels] = (graph.nodes[node.inputs[0] as number] as Node).shape;
  const [vertical, horizontal] = pads ? padding : [0, 0];
  const common = {
    input: source,
    inputSizes: [channels, height + 2 * vertical, width + 2 * horizontal],
    geometry: [[stride, stride], pads ? [0, 0] : padding],
    pads,
  } as const;
  if (!parts) {
    const output = [{ filters: node.shape[2], scale: 1, offset: 0 }];
    return { ...common, output, floats: true, zeroPoint: 0, sumScale: 1 };
  }
  const [{ scale, zeroPoint }] = parts as [OutputPart];
  const sumScale = residual && hasSum ? residual.scale / scale : 1;
  const shift = residual && hasSum ? residual.zeroPoint * sumScale : 0;
  const output = parts.map((part) => ({
    filters: part.filters,
    scale: part.scale,
    offset: part.zeroPoint - shift,
  }));
  return { ...common, output, floats: false, zeroPoint, sumScale };
}

/** Names of the prepared weight, bias and products: what follows from the input alone, for programs that fuse other operations. */
export function int8Names(node: NodeOf<'conv'>): readonly [weight: string, bias: string, products: string] {
  const weight = mergedName(membersOf(node, 'weight'));
  return [weight, `${weight}/bias`, `${weight}/products`];
}

interface OutputPart extends Quantisation {
  readonly filters: number;
}

/** Its own steps, or those of the slices of merged siblings; undefined if the result is float32. */
function outputParts(node: NodeOf<'conv'>, graph: Graph): readonly OutputPart[] | undefined {
  const own = graph.quantised?.get(node.id);
  if (own) return [{ ...own, filters: node.shape[2] }];
  const readers = (consumersFor(graph)[node.id] ?? []).map((id) => graph.nodes[id] as Node);
  const slices = readers.filter((reader) => reader.op === 'slice');
  if (slices.length === 0 || slices.length < readers.length) return undefined;
  const parts: OutputPart[] = [];
  for (const { id, attributes } of slices.toSorted((a, b) => a.attributes.from - b.attributes.from)) {
    const steps = graph.quantised?.get(id);
    if (!steps) return undefined;
    parts.push({ ...steps, filters: attributes.to - attributes.from });
  }
  // One ReLU over all of them cuts off at one byte.
  const sameZero = parts.every(({ zeroPoint }) => zeroPoint === parts[0]?.zeroPoint);
  return sameZero || !node.attributes.relu ? parts : undefined;
}

const consumers = new WeakMap<Graph, ReturnType<typeof consumersOf>>();

/** A graph never changes. */
function consumersFor(graph: Graph) {
  const known = consumers.get(graph) ?? consumersOf(graph);
  consumers.set(graph, known);
  return known;
}
