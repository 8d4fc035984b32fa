/**
 * Sibling convolutions that read the same input with the same geometry become one convolution, one batch normalisation
 * and one ReLU over all their filters, followed by slices. Exact, in training too: every filter and every channel's
 * statistics are computed from the same numbers as before.
 */
import type { Graph, Node, NodeOf, ParametersOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

/** Convolution, batch normalisation and ReLU, each the only reader of the one before. */
interface Unit {
  readonly conv: NodeOf<'conv'>;
  readonly batchNorm: NodeOf<'batchNorm'>;
  readonly relu: NodeOf<'relu'>;
}

export function mergeSiblings(graph: Graph): Graph {
  const groups = findGroups(graph);
  const memberOf = new Map(groups.flatMap((group) => group.map((unit) => [unit.conv.id, group] as const)));
  const placed = new Set(
    groups.flatMap((group) => group.flatMap(({ batchNorm, relu }) => [batchNorm.id, relu.id])),
  );
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const group = memberOf.get(node.id);
    if (group) {
      if (group[0]?.conv.id === node.id) placeGroup(rewriting, group);
    } else if (!placed.has(node.id)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();
}

function findGroups(graph: Graph): Unit[][] {
  const consumers = consumersOf(graph);
  const onlyReader = <K extends Node['op']>(node: Node, op: K): NodeOf<K> | undefined => {
    const [reader, ...others] = consumers[node.id] ?? [];
    const next = reader === undefined || others.length > 0 ? undefined : graph.nodes[reader];
    return next?.op === op ? (next as NodeOf<K>) : undefined;
  };
  const byGeometry = new Map<string, Unit[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'conv' || node.attributes.bias) continue;
    const batchNorm = onlyReader(node, 'batchNorm');
    const relu = batchNorm && onlyReader(batchNorm, 'relu');
    if (!batchNorm || !relu) continue;
    const { window, stride, padding } = node.attributes;
    const key = JSON.stringify([node.inputs, window, stride, padding]);
    byGeometry.set(key, [...(byGeometry.get(key) ?? []), { conv: node, batchNorm, relu }]);
  }
  return [...byGeometry.values()].filter((group) => group.length > 1);
}

function placeGroup(rewriting: Rewriting, group: readonly Unit[]): void {
  const [first] = group as [Unit];
  const path = group.map(({ conv }) => conv.path).join('+');
  const filters = group.reduce((sum, { conv }) => sum + conv.shape[2], 0);
  const shape = [first.conv.shape[0], first.conv.shape[1], filters] as const;
  const merge = (key: keyof Unit, input: number) =>
    rewriting.add({
      ...first[key],
      path,
      shape,
      inputs: [input],
      parameters: { members: group.flatMap((unit) => unit[key].parameters.members) } as ParametersOf<never>,
    } as Omit<Node, 'id'>);
  const relu = merge(
    'relu',
    merge('batchNorm', merge('conv', rewriting.find(first.conv.inputs[0] as number))),
  );
  let from = 0;
  for (const unit of group) {
    const to = from + unit.relu.shape[2];
    const slice = rewriting.add({
      op: 'slice',
      inputs: [relu],
      path: unit.relu.path,
      shape: unit.relu.shape,
      attributes: { from, to },
      parameters: { members: [{}] },
    } as Omit<Node, 'id'>);
    rewriting.replace(unit.relu.id, slice);
    from = to;
  }
}
