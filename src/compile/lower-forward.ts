/** Lowers the forward pass: each node by its rule, in order. */
import type { Op } from '../graph/graph.ts';
import type { Value } from './program.ts';
import { type Lowering, type Result, type Rule, type Rules, sizesOf } from './rules/rule.ts';

/** The result of each node, by node id. */
export function lowerForward<R extends Result>(lowering: Lowering, rules: Rules<R>): readonly R[] {
  const { emitter, graph, batch } = lowering;
  const lowered: R[] = [];
  const resultOf = (id: number): Value => (lowered[id] as R).value;
  for (const node of graph.nodes) {
    emitter.layer = node.path;
    const rule = rules[node.op] as Rule<Op, R>;
    const result = rule(node, node.inputs.map(resultOf) as unknown as Parameters<typeof rule>[1], lowering);
    emitter.describe(result.value, sizesOf(node, batch));
    lowered.push(result);
  }
  return lowered;
}
