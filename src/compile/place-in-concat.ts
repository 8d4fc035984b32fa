/**
 * Which results are written straight into their part of a concatenation, so that nothing is copied there. Only operators of
 * our own write into a part of a tensor; and only what nobody else reads, because other readers want it dense.
 */
import type { Graph, Op } from '../graph/graph.ts';
import { consumersOf } from '../passes/rewrite.ts';

export interface Place {
  /** Node id of the concatenation. */
  readonly concat: number;
  /** First channel there. */
  readonly from: number;
}

const writers: ReadonlySet<Op> = new Set(['batchNormRelu', 'maxPool', 'avgPool']);

/** By node id. A concatenation is placed in another one if anything is placed in itself. */
export function placeInConcat(
  graph: Graph,
  { keepDense }: { keepDense: readonly number[] },
): Map<number, Place> {
  const consumers = consumersOf(graph);
  const places = new Map<number, Place>();
  const holds = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== 'concat') continue;
    let from = 0;
    for (const id of node.inputs) {
      const source = graph.nodes[id];
      if (!source) continue;
      const writes = writers.has(source.op) || (source.op === 'concat' && holds.has(id));
      const once = node.inputs.filter((input) => input === id).length === 1;
      if (writes && once && consumers[id]?.length === 1 && !keepDense.includes(id)) {
        places.set(id, { concat: node.id, from });
        holds.add(node.id);
      }
      from += source.shape[2];
    }
  }
  return places;
}
