/**
 * The ReLU after a residual block's sum becomes part of the sum, which an operator of our own computes in one pass over
 * memory, forward and backward. Training on the CPU only.
 */
import type { Graph, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

export function fuseSumRelu(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  /** By the ReLU's id. */
  const sums = new Map<number, NodeOf<'scaledAdd'>>();
  for (const node of graph.nodes) {
    const source = node.op === 'relu' ? graph.nodes[node.inputs[0] as number] : undefined;
    if (source?.op === 'scaledAdd' && consumers[source.id]?.length === 1) sums.set(node.id, source);
  }
  const fused = new Set([...sums.values()].map(({ id }) => id));
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const sum = sums.get(node.id);
    if (sum) {
      const inputs = sum.inputs.map((id) => rewriting.find(id));
      const attributes = { ...sum.attributes, relu: true };
      rewriting.replace(node.id, rewriting.add({ ...sum, inputs, attributes }));
    } else if (!fused.has(node.id)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();
}
