/**
 * Inference on the CPU: fuses the residual sum into the convolution before it. The residual becomes a second input, which the
 * convolution adds while its results are still in registers and then overwrites, so nothing may read it later.
 */
import type { Graph, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

/** @param keep ids of nodes whose results are requested. */
export function fuseSum(graph: Graph, { keep }: { keep: readonly number[] }): Graph {
  const consumers = consumersOf(graph);
  /** The sum after each fused convolution, by the convolution's id. */
  const sums = new Map<number, NodeOf<'scaledAdd'>>();
  for (const node of graph.nodes) {
    // Grouped convolutions run in libtorch, which cannot add a residual.
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
      for (const oldId of [node.id, sum.id]) rewriting.replace(oldId, id);
    } else if (!fused.has(node.id)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();

  /** Whether the residual is computed before the convolution, not read afterwards, and owns its memory. */
  function canAccumulate(sum: NodeOf<'scaledAdd'>, branch: number): boolean {
    const [residual = -1, added] = sum.inputs;
    const source = graph.nodes[residual];
    if (added !== branch || sum.attributes.scale !== 1 || residual > branch || keep.includes(residual))
      return false;
    const ownsMemory =
      source?.op === 'conv' || source?.op === 'relu' || source?.op === 'concat' || source?.op === 'scaledAdd';
    const readers = consumers[residual] ?? [];
    // A slice is a view: its readers read this memory too, perhaps later.
    const isDoneBefore = (reader: number) =>
      reader === sum.id || (reader <= branch && graph.nodes[reader]?.op !== 'slice');
    return ownsMemory && readers.every(isDoneBefore);
  }
}
