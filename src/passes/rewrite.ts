/** Helpers for graph passes: the readers of each node, and building a new graph from an old one. */
import type { Graph, Node } from '../graph/graph.ts';

/** The ids of the nodes that read each node. */
export function consumersOf(graph: Graph): readonly (readonly number[])[] {
  const consumers: number[][] = graph.nodes.map(() => []);
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) consumers[input]?.push(node.id);
  }
  return consumers;
}

/** The auxiliary head's nodes come last, so removing them renumbers nothing. */
export const withoutAuxiliary = (graph: Graph): Graph => ({
  ...graph,
  nodes: graph.nodes.filter(({ head }) => head === 'main'),
  auxiliaryLogits: undefined,
  endpoints: new Map([...graph.endpoints].filter(([, id]) => graph.nodes[id]?.head === 'main')),
});

/** Builds a new graph and maps each old node to the node with its result. */
export class Rewriting {
  readonly #nodes: Node[] = [];
  readonly #newIds = new Map<number, number>();
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** Adds a node whose inputs are ids of the new graph. */
  add(node: Omit<Node, 'id'>): number {
    const id = this.#nodes.length;
    this.#nodes.push({ ...node, id } as Node);
    return id;
  }

  /** Adds an old node, or a changed copy of it, with its inputs translated to the new graph. */
  keep(node: Node): void {
    this.replace(node.id, this.add({ ...node, inputs: node.inputs.map((input) => this.find(input)) }));
  }

  /** Records that the new node replaces the old one. */
  replace(oldId: number, newId: number): void {
    this.#newIds.set(oldId, newId);
  }

  find(oldId: number): number {
    const id = this.#newIds.get(oldId);
    if (id === undefined) throw new Error(`rewriting: node ${oldId} is read before it is added`);
    return id;
  }

  has(oldId: number): boolean {
    return this.#newIds.has(oldId);
  }

  /** Where nodes became one, its result is that of the last of them. */
  #quantised(quantised: Required<Graph>['quantised']): Required<Graph>['quantised'] {
    const last = new Map([...this.#newIds].map(([oldId, newId]) => [newId, oldId]));
    return new Map(
      [...last].flatMap(([newId, oldId]) => {
        const steps = quantised.get(oldId);
        return steps ? [[newId, steps] as const] : [];
      }),
    );
  }

  finish(): Graph {
    const { network, logits, features, auxiliaryLogits, endpoints, quantised } = this.#graph;
    return {
      network,
      nodes: this.#nodes,
      logits: this.find(logits),
      features: this.find(features),
      auxiliaryLogits: auxiliaryLogits === undefined ? undefined : this.find(auxiliaryLogits),
      endpoints: new Map([...endpoints].map(([name, id]) => [name, this.find(id)])),
      ...(quantised && { quantised: this.#quantised(quantised) }),
    };
  }
}
