/** Splits a graph at the end of its frozen nodes: what runs as in inference, and what is trained on its results. */
import type { Graph, Node } from '../graph/graph.ts';
import { Rewriting } from './rewrite.ts';

export interface SplitGraph {
  /** The frozen nodes; its logits are the last one's result. */
  readonly frozen: Graph;
  /** The other nodes, before them an `input` node for each boundary, with the boundary's name as its path. */
  readonly trained: Graph;
  /** Endpoints of frozen nodes whose results the other nodes read, in the order of the nodes. */
  readonly boundaries: readonly string[];
}

/**
 * @param keep names of endpoints that are boundaries even if nothing reads them.
 * @returns undefined if nothing is frozen.
 */
export function splitFrozen(graph: Graph, { keep }: { keep: readonly string[] }): SplitGraph | undefined {
  const { frozenNodes = 0, nodes, network, endpoints } = graph;
  if (frozenNodes === 0) return undefined;
  const isFrozen = (id: number) => id < frozenNodes;
  const read = nodes.slice(frozenNodes).flatMap(({ inputs }) => inputs);
  const kept = keep.flatMap((name) => endpoints.get(name) ?? []);
  const ids = [...new Set([...read, ...kept])].filter(isFrozen).sort((a, b) => a - b);
  const boundaries = ids.map(
    (id) => [...endpoints].findLast(([, endpoint]) => endpoint === id)?.[0] as string,
  );
  const named = (has: (id: number) => boolean) => new Map([...endpoints].filter(([, id]) => has(id)));
  const rewriting = new Rewriting({ ...graph, endpoints: named((id) => !isFrozen(id) || ids.includes(id)) });
  ids.forEach((id, index) => {
    const { shape } = nodes[id] as Node;
    const path = boundaries[index] as string;
    const given = { op: 'input', head: 'main', inputs: [], path, shape, attributes: {} } as const;
    rewriting.replace(id, rewriting.add({ ...given, parameters: { members: [{}] } }));
  });
  for (const node of nodes.slice(frozenNodes)) rewriting.keep(node);
  return {
    frozen: {
      network,
      nodes: nodes.slice(0, frozenNodes),
      logits: frozenNodes - 1,
      features: frozenNodes - 1,
      auxiliaryLogits: undefined,
      endpoints: named(isFrozen),
    },
    trained: rewriting.finish(),
    boundaries,
  };
}
