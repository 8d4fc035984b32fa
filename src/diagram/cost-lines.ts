/** What the boxes of a figure say besides their layer: output shape, parameters and multiply-adds. */
import { costsOfNodes } from '../graph/costs.ts';
import { formatShape, type Graph, type Node } from '../graph/graph.ts';

/** 12,253,974,624 → 12.3 G; 1,536 → 1.54 k */
export function short(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** Nodes of a part of the network; of the whole network, all but the input. */
export const nodesAt = ({ nodes }: Graph, path: string): readonly Node[] =>
  path === ''
    ? nodes.filter(({ op }) => op !== 'input')
    : nodes.filter((node) => node.path === path || node.path.startsWith(`${path}/`));

/** `parameters · multiply-adds`, if there are any. */
export function costLine(nodes: readonly Node[]): readonly string[] {
  const { parameters, macs } = costsOfNodes(nodes);
  return parameters > 0 ? [`${short(parameters)} · ${short(macs)}`] : [];
}

/** The lines of a layer's box by its path: shape and costs. */
export const costLines =
  (graph: Graph) =>
  (path: string): readonly string[] => {
    const nodes = nodesAt(graph, path);
    const last = nodes.at(-1);
    if (!last) return [];
    const own = nodes.filter((node) => node.path === path);
    return [formatShape(last.shape), ...costLine(own.length > 0 ? own : nodes)];
  };
