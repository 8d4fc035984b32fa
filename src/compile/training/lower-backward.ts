/** Lowers the backward pass: from the loss back to the parameters, or from a classifier back to one node. */
import type { Graph, Node, Parameter } from '../../graph/graph.ts';
import { mergedName } from '../layout.ts';
import type { Value } from '../program.ts';
import { type Lowered, type Lowering, membersOf, type Part, sizesOf } from '../rules/rule.ts';

/** The gradient of a parameter, or of merged siblings' parameters. */
export interface ParameterGradient {
  /** The parameter's name in the store. */
  readonly name: string;
  readonly part: string;
  readonly members: readonly Parameter[];
  readonly value: Value;
}

/**
 * @param lowered the finished forward pass.
 * @param seeds the gradients of the nodes that the loss reads, by node id.
 * @param receive called for each parameter's gradient as soon as it exists.
 */
export function lowerBackward(
  lowering: Lowering,
  lowered: readonly Lowered[],
  { seeds, receive }: { seeds: ReadonlyMap<number, Value>; receive: (gradient: ParameterGradient) => void },
): void {
  walkBack(lowering, lowered, { seeds, receive, reaches: reachesParameters(lowering.graph) });
}

/** The gradient of a node's result; undefined if no seed depends on it. */
export function lowerGradientOf(
  target: number,
  lowering: Lowering,
  { lowered, seeds }: { lowered: readonly Lowered[]; seeds: ReadonlyMap<number, Value> },
): Value | undefined {
  const reaches = reachesNode(lowering.graph, target);
  return walkBack(lowering, lowered, { seeds, receive: () => undefined, reaches, target });
}

interface Walk {
  readonly seeds: ReadonlyMap<number, Value>;
  readonly receive: (gradient: ParameterGradient) => void;
  /** For every node, whether a gradient that is asked for lies in it or before it. */
  readonly reaches: readonly boolean[];
  /** The walk ends here, with the gradient of this node's result. */
  readonly target?: number;
}

function walkBack(
  lowering: Lowering,
  lowered: readonly Lowered[],
  { seeds, receive, reaches, target }: Walk,
): Value | undefined {
  const { emitter, graph } = lowering;
  const contributions = new Map<number, (Value | Part)[]>([...seeds].map(([id, seed]) => [id, [seed]]));
  for (const node of graph.nodes.toReversed()) {
    emitter.layer = `${node.path} backward`;
    const gradient = sumOf(contributions.get(node.id) ?? [], node, lowering);
    contributions.delete(node.id);
    if (node.id === target) return gradient;
    if (gradient === undefined) continue;
    emitter.describe(gradient, sizesOf(node, lowering.batch));
    const needsInput = node.inputs.some((id) => reaches[id]);
    const { inputs, parameters = {} } = (lowered[node.id] as Lowered).gradients(gradient, needsInput);
    for (const [part, value] of Object.entries(parameters)) {
      const members = membersOf(node, part);
      receive({ name: mergedName(members), part, members, value });
    }
    inputs.forEach((contribution, index) => {
      const id = node.inputs[index] as number;
      if (contribution === null || !reaches[id]) return;
      contributions.set(id, [...(contributions.get(id) ?? []), contribution]);
    });
  }
  return undefined;
}

const isPart = (contribution: Value | Part): contribution is Part => 'from' in contribution;

/** The sum of what all readers of a node's result contribute to its gradient. */
function sumOf(contributions: readonly (Value | Part)[], node: Node, lowering: Lowering): Value | undefined {
  const { emitter } = lowering;
  const parts = contributions.filter(isPart);
  const wholes = contributions.filter((contribution): contribution is Value => !isPart(contribution));
  const all = parts.length > 0 ? [...wholes, join(parts, node, lowering)] : wholes;
  const [first, ...others] = all;
  return first && others.reduce((sum, term) => emitter.call('aten::add.Tensor', [sum, term]), first);
}

/** The gradient of a node that is read in slices, which do not overlap. */
function join(parts: readonly Part[], node: Node, { emitter, batch, precision }: Lowering): Value {
  const sizes = sizesOf(node, batch);
  const zeros = (channels: number): Value =>
    emitter.call('aten::zeros', [sizes.with(1, channels)], {
      dtype: { dtype: precision },
      device: { device: 'store' },
    });
  const joined: Value[] = [];
  let end = 0;
  for (const { value, from, to } of parts.toSorted((a, b) => a.from - b.from)) {
    if (from > end) joined.push(zeros(from - end));
    joined.push(value);
    end = to;
  }
  const channels = node.shape[2];
  if (end < channels) joined.push(zeros(channels - end));
  return emitter.call('aten::cat', [joined, 1]);
}

/** For every node, whether it or anything before it has parameters. */
function reachesParameters({ nodes }: Graph): readonly boolean[] {
  const reaches: boolean[] = [];
  for (const node of nodes) {
    const hasParameters = node.parameters.members.some((member) => Object.keys(member).length > 0);
    reaches.push(hasParameters || node.inputs.some((id) => reaches[id]));
  }
  return reaches;
}

/** For every node, whether it is the target or computed from it. */
function reachesNode({ nodes }: Graph, target: number): readonly boolean[] {
  const reaches: boolean[] = [];
  for (const { id, inputs } of nodes) reaches.push(id === target || inputs.some((input) => reaches[input]));
  return reaches;
}
