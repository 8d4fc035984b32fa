/**
 * Merges sibling convolutions that read the same input with the same geometry into one convolution over all their filters,
 * followed by slices. This is exact, in training too: every filter is computed from the same values as before. Where each
 * sibling has a ReLU right after it, as after folding, the ReLUs are merged too.
 */
import type { Folded, Graph, MemberParameters, Node, NodeOf } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

interface Unit {
  readonly conv: NodeOf<'conv'>;
  /** The ReLU, if it is the convolution's only reader. */
  readonly relu: NodeOf<'relu'> | undefined;
}

export function mergeSiblings(graph: Graph): Graph {
  const groups = findGroups(graph);
  const memberOf = new Map(groups.flatMap((group) => group.map((unit) => [unit.conv.id, group] as const)));
  const placed = new Set(groups.flatMap((group) => group.flatMap(({ relu }) => (relu ? [relu.id] : []))));
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
  const byGeometry = new Map<string, Unit[]>();
  for (const node of graph.nodes) {
    // Merging would change how the channels are grouped.
    if (node.op !== 'conv' || node.attributes.groups > 1) continue;
    const [reader, ...others] = consumers[node.id] ?? [];
    const next = reader === undefined || others.length > 0 ? undefined : graph.nodes[reader];
    const relu = next?.op === 'relu' ? next : undefined;
    const { window, stride, padding, bias, folded } = node.attributes;
    const key = JSON.stringify([
      // What trains may end between the heads, and their learning rates differ.
      ...[node.head, node.inputs, window, stride, padding, bias, relu !== undefined],
      ...[folded?.scale, folded?.batchNorm?.epsilon],
    ]);
    byGeometry.set(key, [...(byGeometry.get(key) ?? []), { conv: node, relu }]);
  }
  return [...byGeometry.values()].filter((group) => group.length > 1);
}

function placeGroup(rewriting: Rewriting, group: readonly Unit[]): void {
  const [first] = group as [Unit];
  const convolutions = group.map(({ conv }) => conv);
  const path = convolutions.map((conv) => conv.path).join('+');
  const [height, width] = first.conv.shape;
  const shape = [height, width, convolutions.reduce((sum, conv) => sum + conv.shape[2], 0)] as const;
  const conv = rewriting.add({
    ...first.conv,
    path,
    shape,
    inputs: [rewriting.find(first.conv.inputs[0] as number)],
    attributes: { ...first.conv.attributes, ...mergeFolded(convolutions) },
    parameters: { members: convolutions.flatMap(({ parameters }) => parameters.members) },
  });
  const whole = first.relu ? rewriting.add({ ...first.relu, path, shape, inputs: [conv] }) : conv;
  let from = 0;
  for (const unit of group) {
    const last: Node = unit.relu ?? unit.conv;
    const to = from + last.shape[2];
    const slice = rewriting.add({
      op: 'slice',
      head: last.head,
      inputs: [whole],
      path: last.path,
      shape: last.shape,
      attributes: { from, to },
      parameters: { members: [{}] },
    } as Omit<Node, 'id'>);
    rewriting.replace(unit.conv.id, slice);
    if (unit.relu) rewriting.replace(unit.relu.id, slice);
    from = to;
  }
}

/** The folded batch normalisations of the convolutions, as one. */
function mergeFolded(convolutions: readonly NodeOf<'conv'>[]): { folded?: Folded } {
  const folded = convolutions.flatMap(({ attributes }) => attributes.folded ?? []);
  const [first] = folded;
  if (!first) return {};
  if (!first.batchNorm) return { folded: first };
  const members: MemberParameters<'batchNorm'>[] = folded.flatMap(
    ({ batchNorm }) => batchNorm?.parameters.members ?? [],
  );
  return { folded: { ...first, batchNorm: { ...first.batchNorm, parameters: { members } } } };
}
