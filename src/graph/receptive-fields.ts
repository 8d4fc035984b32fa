/**
 * Receptive fields: which pixels of the image a unit of a layer can depend on. Windows are followed along each axis separately; a
 * join of branches has the smallest rectangle around their fields. The fields agree with those that TensorFlow's receptive_field
 * library computes for TF-Slim's networks (Araujo, Norris and Sim, Distill 2019).
 */
import { InceptionError } from '../errors.ts';
import type { Graph, Node, NodeOf, Op } from './graph.ts';

/** A layer's fields along one axis of the image, in pixels. Unit i sees `start + i · stride` and the `size − 1` pixels after it. */
export interface FieldAxis {
  readonly size: number;
  /** By how much the fields of neighbouring units are apart. */
  readonly stride: number;
  /** First pixel of unit 0's field: negative where the field begins in the padding. */
  readonly start: number;
}

/** A layer's fields in both directions; undefined where its branches move by different strides, so that no three numbers tell them. */
export interface ReceptiveField {
  readonly vertical: FieldAxis | undefined;
  readonly horizontal: FieldAxis | undefined;
}

/** Pixels of the image, both ends inclusive. */
export interface PixelBox {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

type Axis = 0 | 1;

/** How an operation moves over its input along one axis: unit i reads `i · stride − before` and the `window − 1` after it. */
interface Reach {
  readonly window: number;
  readonly stride: number;
  readonly before: number;
}

type ReachRule<K extends Op> = (node: NodeOf<K>, axis: Axis, inputSize: number) => Reach;

const inPlace = (): Reach => ({ window: 1, stride: 1, before: 0 });
const sliding = ({ attributes }: NodeOf<'conv' | 'maxPool' | 'avgPool'>, axis: Axis): Reach => ({
  window: attributes.window[axis],
  stride: attributes.stride,
  before: attributes.padding[axis],
});

const reaches: { readonly [K in Op]: ReachRule<K> } = {
  input: inPlace,
  conv: sliding,
  maxPool: sliding,
  avgPool: sliding,
  pad: ({ attributes }, axis) => ({ window: 1, stride: 1, before: attributes.before[axis] }),
  globalAvgPool: (_, __, inputSize) => ({ window: inputSize, stride: inputSize, before: 0 }),
  batchNorm: inPlace,
  relu: inPlace,
  concat: inPlace,
  slice: inPlace,
  scaledAdd: inPlace,
  dropout: inPlace,
  linear: inPlace,
};

const reachOf = (graph: Graph, node: Node, axis: Axis): Reach => {
  const [source] = node.inputs;
  const inputSize = source === undefined ? 1 : (graph.nodes[source] as Node).shape[axis];
  return (reaches[node.op] as ReachRule<Op>)(node, axis, inputSize);
};

/** The receptive fields of every node, by its id. They say what lies in the padding too: {@link fieldOfUnit} is what lies in the image. */
export function receptiveFields(graph: Graph): readonly ReceptiveField[] {
  const along = (axis: Axis): readonly (FieldAxis | undefined)[] => {
    const fields: (FieldAxis | undefined)[] = [];
    for (const node of graph.nodes) {
      const { window, stride, before } = reachOf(graph, node, axis);
      const inputs = node.inputs.map((id) => fields[id]);
      const field = node.op === 'input' ? { size: 1, stride: 1, start: 0 } : around(inputs, node.shape[axis]);
      fields.push(
        field && {
          size: field.size + (window - 1) * field.stride,
          stride: field.stride * stride,
          start: field.start - before * field.stride,
        },
      );
    }
    return fields;
  };
  const [vertical, horizontal] = [along(0), along(1)];
  return graph.nodes.map(({ id }) => ({ vertical: vertical[id], horizontal: horizontal[id] }));
}

/** The smallest field around those of all branches. */
function around(fields: readonly (FieldAxis | undefined)[], units: number): FieldAxis | undefined {
  const [first] = fields;
  if (first === undefined || fields.some((field) => field === undefined)) return undefined;
  const known = fields as readonly FieldAxis[];
  // The stride of a single unit says nothing.
  if (units > 1 && known.some(({ stride }) => stride !== first.stride)) return undefined;
  const start = Math.min(...known.map((field) => field.start));
  const end = Math.max(...known.map((field) => field.start + field.size));
  return { size: end - start, stride: first.stride, start };
}

/**
 * The pixels of the image that one unit of a node can depend on, exactly: padding is no part of it, in whatever layer it was added.
 * @throws InceptionError for a unit outside the node's grid
 */
export function fieldOfUnit(
  graph: Graph,
  id: number,
  { row, column }: { row: number; column: number },
): PixelBox {
  const [height, width] = (graph.nodes[id] as Node).shape;
  if (!(row >= 0 && row < height && column >= 0 && column < width)) {
    throw new InceptionError(
      `unit ${row},${column}: expected a row from 0 to ${height - 1} and a column from 0 to ${width - 1}`,
    );
  }
  const [top, bottom] = pixelsBehind(graph, { id, unit: row, axis: 0 });
  const [left, right] = pixelsBehind(graph, { id, unit: column, axis: 1 });
  return { top, left, bottom, right };
}

type Interval = readonly [first: number, last: number];

/** From the node back to the image: ids grow from inputs to outputs, so one walk downwards meets every reader before what it reads. */
function pixelsBehind(graph: Graph, { id, unit, axis }: { id: number; unit: number; axis: Axis }): Interval {
  const needed = new Map<number, Interval>([[id, [unit, unit]]]);
  let image: Interval = [0, 0];
  for (let at = id; at >= 0; at--) {
    const interval = needed.get(at);
    if (interval === undefined) continue;
    const node = graph.nodes[at] as Node;
    if (node.op === 'input') image = interval;
    const { window, stride, before } = reachOf(graph, node, axis);
    for (const source of node.inputs) {
      const units = (graph.nodes[source] as Node).shape[axis];
      const first = Math.max(0, interval[0] * stride - before);
      const last = Math.min(units - 1, interval[1] * stride - before + window - 1);
      // Nothing but padding.
      if (first > last) continue;
      const known = needed.get(source) ?? [first, last];
      needed.set(source, [Math.min(known[0], first), Math.max(known[1], last)]);
    }
  }
  return image;
}

/** The node whose units a layer or part hands on: a part's last, by its name; undefined if there is none. */
export function outputNode(graph: Graph, name: string): Node | undefined {
  const endpoint = graph.endpoints.get(name);
  if (endpoint !== undefined) return graph.nodes[endpoint];
  return graph.nodes.findLast(({ path }) => path === name);
}
