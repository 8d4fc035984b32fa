/**
 * Inference on the CPU: a convolution does what comes right after it while its results are still in registers: the sum of
 * a residual block, and the ReLU. The sum is written over the block's input, where nobody reads that later.
 */
import type { Graph, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

export function fuseConvRelu(graph: Graph, { keep }: { keep: readonly number[] }): Graph {
  const consumers = consumersOf(graph);
  /** The only reader of a node whose result nobody asks for. */
  const onlyReader = (id: number) => {
    const [reader, ...others] = consumers[id] ?? [];
    return reader === undefined || others.length > 0 || keep.includes(id) ? undefined : graph.nodes[reader];
  };
  const rewriting = new Rewriting(graph);
  const fused = new Set<number>();
  for (const node of graph.nodes) {
    if (fused.has(node.id)) continue;
    // Convolutions in groups are libtorch's own, which add and cut off nothing.
    if (node.op !== 'conv' || !node.attributes.bias || node.attributes.groups > 1) {
      rewriting.keep(node);
      continue;
    }
    const chain: number[] = [node.id];
    const next = onlyReader(node.id);
    const sum = next?.op === 'scaledAdd' && canAccumulate(next, node.id) ? next : undefined;
    if (sum) chain.push(sum.id);
    const after = onlyReader(chain.at(-1) as number);
    const relu = after?.op === 'relu' ? after : undefined;
    if (relu) chain.push(relu.id);
    const inputs = [...node.inputs, ...(sum ? [sum.inputs[0] as number] : [])].map((id) =>
      rewriting.find(id),
    );
    const attributes = { ...node.attributes, relu: relu !== undefined };
    const id = rewriting.add({ ...node, inputs, attributes });
    for (const member of chain) {
      rewriting.replace(member, id);
      fused.add(member);
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
