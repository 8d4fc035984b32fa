/** The values between a graph's input and its outputs, with their types and shapes. */
import {
  type ElementType,
  elementTypes,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValue,
} from '../onnx-graph.ts';
import { inferShapes } from '../shapes/infer-shapes.ts';
import { maxKnownValues } from '../shapes/value.ts';

/** Values without a known shape are left out. */
export function innerValues({ nodes, constants, input, outputs }: OnnxGraph): OnnxValue[] {
  const shapes = inferShapes({
    nodes,
    inputs: [input],
    constants: new Map(
      [...constants].map(([name, { dims, data }]) => [
        name,
        {
          dims,
          ...(data.length <= maxKnownValues && { values: Array.from(data as ArrayLike<number>, Number) }),
        },
      ]),
    ),
  });
  const types = new Map<string, ElementType>([[input.name, input.type]]);
  for (const [name, { type }] of constants) types.set(name, type);
  const outer = new Set(outputs.map(({ name }) => name));
  const inner: OnnxValue[] = [];
  for (const node of nodes) {
    const type = typeOf(node, types);
    for (const name of node.outputs) {
      types.set(name, type);
      const dims = shapes.get(name)?.dims;
      if (dims && !outer.has(name)) inner.push({ name, type, dims });
    }
  }
  return inner;
}

const typeNames = new Map<number, ElementType>(
  Object.entries(elementTypes).map(([name, number]) => [number, name as ElementType]),
);

/** Of a node's outputs: all operators but these give what they are given. */
function typeOf({ op, inputs, attributes }: OnnxNode, types: ReadonlyMap<string, ElementType>): ElementType {
  const given = (input: number) => types.get(inputs[input] ?? '') ?? 'float32';
  if (op === 'Cast') return typeNames.get(attributes.to as number) ?? 'float32';
  if (op === 'QuantizeLinear') return given(2);
  return given(op === 'DequantizeLinear' ? 1 : 0);
}
