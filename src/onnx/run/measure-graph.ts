/** Bounds what a file of unknown origin computes for one image, before ONNX Runtime loads it. Pure; also for browsers. */
import { DeployError } from '../deploy-error.ts';
import { inferShapes } from '../shapes/infer-shapes.ts';
import { elementsOf, type ShapedGraph, type ShapedNode, type Value } from '../shapes/value.ts';

/** Elements of a single value for one image: 512 MiB of float32, thirty times the largest of an Inception at 299×299. */
export const maxElements = 2 ** 27;

export interface Measured {
  /** Multiplications, or elements where nothing is multiplied, of all nodes; undefined if some value's size is not known. */
  readonly work: number | undefined;
}

/**
 * Measures a graph for a batch of one and images of the given size.
 * @throws DeployError naming the node whose value is too large
 */
export function measureGraph(
  graph: ShapedGraph,
  { path, size }: { path: string; size: readonly [height: number, width: number] | undefined },
): Measured {
  const shapes = inferShapes({ ...graph, inputs: graph.inputs.map((input) => forOneImage(input, size)) });
  let work: number | undefined = 0;
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      const value = shapes.get(name) ?? {};
      const count = elementsOf(value);
      if (count === undefined || !(count >= 0)) work = undefined;
      else if (count > maxElements)
        throw new DeployError(
          `${path}: its node '${shortened(node.name || name)}' (${node.op}) gives ${value.dims?.join('×')} values for one image; expected at most ${maxElements}`,
        );
      else if (work !== undefined) work += count * workPerElement(node, shapes);
    }
  }
  return { work };
}

/** An open batch is one image; other open sides are those of the image. */
function forOneImage(
  { name, dims }: ShapedGraph['inputs'][number],
  size: readonly [number, number] | undefined,
): ShapedGraph['inputs'][number] {
  if (dims?.length !== 4) return { name, dims };
  const [batch, ...rest] = dims;
  const open = rest.filter((side) => typeof side === 'string').length;
  let side = 0;
  const sizes = rest.map((each) =>
    typeof each === 'string' && open === 2 ? (size?.[side++] ?? each) : each,
  );
  return { name, dims: [typeof batch === 'string' ? 1 : (batch as number), ...sizes] };
}

/** What each element of an output takes: the weights of its filter, or the elements of its window. */
function workPerElement({ op, inputs, attributes }: ShapedNode, shapes: ReadonlyMap<string, Value>): number {
  const { kernel_shape: window } = attributes;
  const [filters = 1, ...filter] = (shapes.get(inputs[1] ?? '')?.dims ?? []) as number[];
  if (op === 'Conv') return filter.reduce((product, side) => product * side, 1);
  if (op === 'Gemm') return Math.max(filters, ...filter);
  return Array.isArray(window) ? (window as number[]).reduce((product, side) => product * side, 1) : 1;
}

const shortened = (name: string): string => (name.length > 80 ? `${name.slice(0, 80)}…` : name);
