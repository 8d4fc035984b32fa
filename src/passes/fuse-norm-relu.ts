/**
 * Batch normalisation and the ReLU after it become one operation, which `native/operators/` computes in two passes over
 * memory, forward and backward. Training on the CPU only; the numbers are the same up to rounding.
 */
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

export function fuseNormRelu(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const batchNorm = node.op === 'relu' ? onlyFor(node) : undefined;
    if (batchNorm) {
      const { attributes, head, parameters, path, shape } = batchNorm;
      const inputs = batchNorm.inputs.map((id) => rewriting.find(id));
      const fused = { op: 'batchNormRelu', head, attributes, parameters, path, shape, inputs } as Omit<
        Node,
        'id'
      >;
      rewriting.replace(node.id, rewriting.add(fused));
    } else if (!isFused(node)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();

  function onlyFor(relu: Node): NodeOf<'batchNorm'> | undefined {
    const source = graph.nodes[relu.inputs[0] as number];
    return source?.op === 'batchNorm' && consumers[source.id]?.length === 1 ? source : undefined;
  }

  function isFused(node: Node): boolean {
    const [reader] = consumers[node.id] ?? [];
    const next = reader === undefined ? undefined : graph.nodes[reader];
    return next?.op === 'relu' && onlyFor(next)?.id === node.id;
  }
}
