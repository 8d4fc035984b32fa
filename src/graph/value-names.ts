/** Names of the values of a graph, following its paths: those of an exported ONNX graph, and of the ranges of an int8 model. */
import type { Graph, Node } from './graph.ts';

/**
 * A name for every node's result. The last node of a layer has the layer's path (`stem/conv1`, `inceptionA/0`); earlier ones have
 * the operation's name appended (`stem/conv1/conv`), and a number if that name is taken.
 */
export function valueNames(graph: Graph): readonly string[] {
  const last = new Map(graph.nodes.map(({ path, id }) => [path, id]));
  const used = new Set<string>(last.keys());
  return graph.nodes.map((node) => {
    if (last.get(node.path) === node.id) return node.path;
    const name = uniqueName(`${node.path}/${node.op}`, used);
    used.add(name);
    return name;
  });
}

function uniqueName(name: string, used: ReadonlySet<string>): string {
  if (!used.has(name)) return name;
  let number = 2;
  while (used.has(`${name}${number}`)) number++;
  return `${name}${number}`;
}

/** The name of a part of a node's parameters; for merged siblings, their names joined. */
export const parameterName = (node: Node, part: string): string =>
  node.parameters.members
    .map((member) => (member as Record<string, { name: string }>)[part]?.name ?? `${node.path}/${part}`)
    .join('+');
