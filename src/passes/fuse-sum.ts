/**
 * Inference on the CPU: the sum of a residual block becomes a second input of the convolution before it, which adds it while
 * its own results are still in registers, and writes over it, where nobody reads that later.
 */
import type { Graph, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

/** @param keep ids of the nodes whose results are asked for. */
export function fuseSum(graph: Graph, { keep }: { keep: readonly number[] }): Graph {
  const consumers = consumersOf(graph);
  /** By the convolution's id. */
  const sums = new Map<number, NodeOf<'scaledAdd'>>();
  for (const node of graph.nodes) {
    // Convolutions in groups are libtorch's own, which add nothing.
    if (node.op !== 'conv' || !node.attributes.bias || node.attributes.groups > 1 || keep.includes(node.id))
      continue;
    const [reader, ...others] = consumers[node.id] ?? [];
    const next = reader === undefined || others.length > 0 ? undefined : graph.nodes[reader];
    if (next?.op === 'scaledAdd' && canAccumulate(next, node.id)) sums.set(node.id, next);
  }
  const fused = new Set([...sums.values()].map(({ id }) => id));
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const sum = sums.get(node.id);
    if (sum && node.op === 'conv') {
      const inputs = [...node.inputs, sum.inputs[0] as number].map((id) => rewriting.find(id));
      const { relu } = sum.attributes;
      const attributes = { ...node.attributes, ...(relu !== undefined && { relu }) };
      const id = rewriting.add({ ...node, inputs, attributes });
      for (const each of [node.id, sum.id]) rewriting.replace(each, id);
    } else if (!fused.has(node.id)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();

  /** Whether the residual is computed, is nobody else's later, and is memory of its own. */
  function canAccumulate(sum: NodeOf<'scaledAdd'>, branch: number): boolean {
    const [residual = -1, added] = sum.inputs;
    const source = graph.nodes[residual];
    if (added !== branch || sum.attributes.scale !== 1 || residual > branch || keep.includes(residual))
      return false;
    const owned =
      source?.op === 'conv' || source?.op === 'relu' || source?.op === 'concat' || source?.op === 'scaledAdd';
    const readers = consumers[residual] ?? [];
    // A slice is a view: whoever reads it reads this memory, and perhaps later.
    const isDoneBefore = (reader: number) =>
      reader === sum.id || (reader <= branch && graph.nodes[reader]?.op !== 'slice');
    return owned && readers.every(isDoneBefore);
  }
}
