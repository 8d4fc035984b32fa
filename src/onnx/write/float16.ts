/** Converts a float32 graph to one that stores and computes in float16, with float32 inputs and outputs. */
import { DeployError } from '../deploy-error.ts';
import { float16Bits } from '../float16-bits.ts';
import { elementTypes, type OnnxGraph, type OnnxNode, type OnnxTensor } from '../onnx-graph.ts';

/** Largest finite float16. */
const maxFloat16 = 65504;

/** Casts the (scaled) images to float16 and the results back; constants become float16. @throws DeployError if one is too large. */
export function toFloat16(graph: OnnxGraph): OnnxGraph {
  const first = scaledImages(graph);
  const half = `${first}/float16`;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const rename = (name: string): string =>
    name === first ? half : outputs.has(name) ? `${name}/float16` : name;
  const nodes = graph.nodes.flatMap((node): OnnxNode[] => {
    // The preprocessing before the cast stays float32.
    if (node.part === 'preprocessing') return [node];
    return [{ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }];
  });
  const castIndex = nodes.findIndex((node) => node.outputs.includes(first)) + 1;
  return {
    ...graph,
    nodes: [
      ...nodes.slice(0, castIndex),
      cast(first, half, elementTypes.float16),
      ...nodes.slice(castIndex),
      ...[...outputs].map((name) => cast(`${name}/float16`, name, elementTypes.float32)),
    ],
    constants: new Map(
      [...graph.constants].map(([name, tensor]) => [
        name,
        tensor.part === 'preprocessing' ? tensor : halfTensor(name, tensor),
      ]),
    ),
  };
}

/** The network's own input: the graph's input, or the output of preprocessing in the model. */
export function scaledImages({ nodes, input }: OnnxGraph): string {
  return nodes.findLast(({ part }) => part === 'preprocessing')?.outputs[0] ?? input.name;
}

const cast = (source: string, target: string, type: number): OnnxNode => ({
  op: 'Cast',
  name: `${target}/cast`,
  inputs: [source],
  outputs: [target],
  attributes: { to: type },
});

function halfTensor(name: string, tensor: OnnxTensor): OnnxTensor {
  if (tensor.type !== 'float32') return tensor;
  const data = Uint16Array.from(tensor.data as Float32Array, float16Bits);
  const tooLarge = (tensor.data as Float32Array).findIndex((value) => Math.abs(value) > maxFloat16);
  if (tooLarge >= 0) {
    throw new DeployError(
      `'${name}' has the value ${tensor.data[tooLarge]}, but float16 is limited to ${maxFloat16}; export as float32`,
    );
  }
  return { ...tensor, type: 'float16', data };
}
