/** The shapes of all values of an ONNX graph, as far as they follow from its operators. Pure; also for browsers. */
import { shapeRules } from './shape-rules.ts';
import { Attributes, type ShapedGraph, type ShapedNode, unknown, type Value } from './value.ts';

/** Values by name. What has no rule, or depends on values that are not known, has no shape. */
export function inferShapes(graph: ShapedGraph): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>(graph.constants);
  for (const { name, dims } of graph.inputs) if (!values.has(name)) values.set(name, { dims });
  for (const node of graph.nodes) {
    const results = resultsOf(node, values);
    for (const [index, name] of node.outputs.entries()) values.set(name, results[index] ?? unknown);
  }
  return values;
}

function resultsOf(node: ShapedNode, values: ReadonlyMap<string, Value>): readonly Value[] {
  const rule = shapeRules.get(node.op);
  if (!rule) return [];
  const inputs = node.inputs.map((name) => values.get(name));
  const result = rule(inputs, new Attributes(node), node);
  return 'length' in result ? result : [result];
}
