/** What the values of an ONNX graph are called: as in the graph. */
import type { Graph, Node } from '../../graph/graph.ts';

/**
 * A name for every node's result. The last node of a layer has the layer's name (`stem/conv1`, `inceptionA/0`), those
 * before it get their operation's name after it (`stem/conv1/conv`), and a number where even that is taken.
 */
export function valueNames(graph: Graph): readonly string[] {
  const last = new Map(graph.nodes.map(({ path, id }) => [path, id]));
  const taken = new Set<string>(last.keys());
  return graph.nodes.map((node) => {
    if (last.get(node.path) === node.id) return node.path;
    const name = free(`${node.path}/${node.op}`, taken);
    taken.add(name);
    return name;
  });
}

function free(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}${number}`)) number++;
  return `${name}${number}`;
}

/** The name of a part of a node's parameters; of merged siblings, their names joined. */
export const parameterName = (node: Node, part: string): string =>
  node.parameters.members
    .map((member) => (member as Record<string, { name: string }>)[part]?.name ?? `${node.path}/${part}`)
    .join('+');
