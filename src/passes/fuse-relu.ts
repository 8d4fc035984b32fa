/**
 * Makes a ReLU an attribute of the operation before it, which computes both in one pass over memory where it can. All ReLUs are
 * fused this way: in training into batch normalisations and residual sums, in inference into convolutions.
 */
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

/** Operations that a ReLU can be fused into. */
type Fusing = 'conv' | 'batchNorm' | 'scaledAdd';

/** Fuses ReLUs into operations of this kind that only the ReLU reads and that are not endpoints. */
export const fuseRelu =
  (op: Fusing) =>
  (graph: Graph): Graph => {
    const consumers = consumersOf(graph);
    const named = new Set(graph.endpoints.values());
    /** The operation before each fused ReLU, by the ReLU's id. */
    const sources = new Map<number, NodeOf<Fusing>>();
    for (const node of graph.nodes) {
      const source = node.op === 'relu' ? graph.nodes[node.inputs[0] as number] : undefined;
      if (source?.op !== op || consumers[source.id]?.length !== 1 || named.has(source.id)) continue;
      sources.set(node.id, source as NodeOf<Fusing>);
    }
    const fused = new Set([...sources.values()].map(({ id }) => id));
    const rewriting = new Rewriting(graph);
    for (const node of graph.nodes) {
      const source = sources.get(node.id);
      if (source) {
        const attributes = { ...source.attributes, relu: true };
        const inputs = source.inputs.map((id) => rewriting.find(id));
        rewriting.replace(node.id, rewriting.add({ ...source, inputs, attributes } as Node));
      } else if (!fused.has(node.id)) {
        rewriting.keep(node);
      }
    }
    return rewriting.finish();
  };
