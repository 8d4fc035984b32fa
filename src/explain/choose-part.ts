/** The part of a network whose result an explanation looks at. */
import { UsageError } from '../errors.ts';
import type { Graph, Node } from '../graph/graph.ts';

export interface Part {
  readonly name: string;
  /** Cells of its grid. */
  readonly height: number;
  readonly width: number;
}

/** The parts with a grid of more than one cell, in the order of the network; of parts that end alike, the name of the whole one. */
export function partsWithGrid(graph: Graph): readonly Part[] {
  const parts = new Map<number, Part>();
  for (const [name, id] of graph.endpoints) {
    const { head, shape } = graph.nodes[id] as Node;
    const [height, width] = shape;
    if (head === 'main' && height * width > 1) parts.set(id, { name, height, width });
  }
  return [...parts.values()];
}

/**
 * The named part, or the last one with more than one cell; `skipped` says which later grids have only one.
 * @throws UsageError listing the parts
 */
export function choosePart(graph: Graph, name?: string): { readonly part: Part; readonly skipped?: string } {
  const parts = partsWithGrid(graph);
  if (name !== undefined) {
    const [height = 0, width = 0] = graph.nodes[graph.endpoints.get(name) ?? -1]?.shape ?? [];
    if (graph.nodes[graph.endpoints.get(name) ?? -1]?.head === 'main' && height * width > 1)
      return { part: { name, height, width } };
    throw new UsageError(
      `part: expected a part with a grid of more than one cell: ${listOf(parts)}; received '${name}'`,
    );
  }
  const part = parts.at(-1);
  if (!part) throw new UsageError(`part: ${graph.network.name} has no grid of more than one cell`);
  const last = lastGrid(graph);
  return last === undefined || last === graph.endpoints.get(part.name)
    ? { part }
    : { part, skipped: `the last grid has one cell, which shows no place` };
}

const listOf = (parts: readonly Part[]): string =>
  parts.map(({ name, height, width }) => `${name} (${height}×${width})`).join(', ');

/** What the classifier averages. */
function lastGrid({ nodes }: Graph): number | undefined {
  return nodes.findLast(({ op, head }) => op === 'globalAvgPool' && head === 'main')?.inputs[0];
}
