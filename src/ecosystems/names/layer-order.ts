/**
 * The order of a functional model's layers in Keras (`model.layers`), which is not that of their creation: by depth, counted from the
 * output, and at the same depth in the order in which a walk back from the output meets them. Files that number layers without
 * naming them follow it. Source: keras/src/ops/function.py, map_graph.
 */
import type { Graph, Node } from '../../graph/graph.ts';

/** Paths of the convolutions and of the batch normalisations, each in Keras's order of layers. */
export interface LayerOrder {
  readonly convolutions: readonly string[];
  readonly norms: readonly string[];
}

export function layerOrderOf({ nodes }: Graph): LayerOrder {
  const met = new Map<number, number>();
  const visit = ({ id, inputs }: Node): void => {
    if (met.has(id)) return;
    met.set(id, met.size);
    for (const input of inputs) visit(nodes[input] as Node);
  };
  visit(nodes.at(-1) as Node);
  // Every node stands after its inputs.
  const depths = nodes.map(() => 0);
  for (const { id, inputs } of [...nodes].reverse())
    for (const input of inputs) depths[input] = Math.max(depths[input] as number, (depths[id] as number) + 1);
  const ordered = nodes
    .filter(({ id }) => met.has(id))
    .sort(
      (a, b) =>
        (depths[b.id] as number) - (depths[a.id] as number) ||
        (met.get(a.id) as number) - (met.get(b.id) as number),
    );
  const paths = (op: Node['op']) => ordered.filter((node) => node.op === op).map(({ path }) => path);
  return { convolutions: paths('conv'), norms: paths('batchNorm') };
}
