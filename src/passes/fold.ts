/** Inference only: folds operations into the weight and bias of the convolution before them. */
import type { Graph, MemberParameters, Node, NodeOf, Parameter } from '../graph/graph.ts';
import { consumersOf, Rewriting } from './rewrite.ts';

/** Batch normalisation with moving statistics is linear, so it folds into the convolution before it. */
export function foldBatchNorm(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const conv = node.op === 'batchNorm' ? convolutionOnlyFor(node, 0) : undefined;
    if (conv && node.op === 'batchNorm') {
      const folded = {
        scale: 1,
        batchNorm: { epsilon: node.attributes.epsilon, parameters: node.parameters },
      };
      const attributes = { ...conv.attributes, bias: true, folded };
      const inputs = conv.inputs.map((id) => rewriting.find(id));
      const parameters = { members: conv.parameters.members.map(withBias) };
      rewriting.replace(node.id, rewriting.add({ ...conv, attributes, inputs, parameters }));
    } else if (!isFolded(node)) {
      rewriting.keep(node);
    }
  }
  return rewriting.finish();

  function convolutionOnlyFor(node: Node, input: number): NodeOf<'conv'> | undefined {
    const source = graph.nodes[node.inputs[input] as number];
    return source?.op === 'conv' && !source.attributes.bias && consumers[source.id]?.length === 1
      ? source
      : undefined;
  }

  function isFolded(node: Node): boolean {
    const [reader] = consumers[node.id] ?? [];
    const next = reader === undefined ? undefined : graph.nodes[reader];
    return next?.op === 'batchNorm' && convolutionOnlyFor(next, 0)?.id === node.id;
  }
}

const withBias = (member: MemberParameters<'conv'>): MemberParameters<'conv'> => {
  const weight = member.weight as Parameter;
  const name = weight.name.replace(/weight$/, 'bias');
  return { weight, bias: { name, role: 'convBias', shape: weight.shape.slice(0, 1) } };
};

/** x + scale · Linear(y) is x + Linear'(y) with the scale in the Linear convolution's weight and bias. */
export function foldResidualScale(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const scaleOf = new Map<number, number>();
  /** Keeps a batch normalisation that has been folded in already. */
  const scaled = ({ attributes }: NodeOf<'conv'>, scale: number) => ({
    ...attributes,
    folded: { ...attributes.folded, scale },
  });
  for (const node of graph.nodes) {
    const linear = node.op === 'scaledAdd' ? graph.nodes[node.inputs[1] as number] : undefined;
    if (node.op === 'scaledAdd' && linear?.op === 'conv' && consumers[linear.id]?.length === 1) {
      scaleOf.set(linear.id, node.attributes.scale);
      scaleOf.set(node.id, 1);
    }
  }
  const rewriting = new Rewriting(graph);
  for (const node of graph.nodes) {
    const scale = scaleOf.get(node.id);
    if (scale === undefined) rewriting.keep(node);
    else if (node.op === 'scaledAdd') rewriting.keep({ ...node, attributes: { scale } });
    else if (node.op === 'conv') rewriting.keep({ ...node, attributes: scaled(node, scale) });
  }
  return rewriting.finish();
}
