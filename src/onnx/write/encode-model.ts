/** Encodes a graph as an ONNX file. */

import {
  type AttributeValue,
  elementTypes,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from '../onnx-graph.ts';
import { encodeModelProto } from '../onnx-schema.ts';
import { innerValues } from './inner-values.ts';

/** Opset 17 contains everything that is written, and is supported by every runtime since 2022. */
const opset = 17;
/** The file format of opset 17. */
const irVersion = 8;

const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;

export interface ModelFile {
  readonly graph: OnnxGraph;
  readonly metadata: Readonly<Record<string, string>>;
  readonly producerVersion: string;
}

/** Encodes a model, with constants as raw little-endian data. */
export const encodeModel = ({ graph, metadata, producerVersion }: ModelFile): Uint8Array =>
  encodeModelProto({
    irVersion,
    producerName: 'inception',
    producerVersion,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: graph.name,
      node: graph.nodes.map(encodeNode),
      initializer: [...graph.constants].map(([name, tensor]) => encodeTensor(name, tensor)),
      input: [encodeValue(graph.input)],
      output: graph.outputs.map(encodeValue),
      // Viewers show these; a runtime infers them again.
      valueInfo: innerValues(graph).map(encodeValue),
    },
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });

const encodeNode = ({ op, name, inputs, outputs, attributes }: OnnxNode) => ({
  opType: op,
  name,
  input: inputs,
  output: outputs,
  attribute: Object.entries(attributes).map(([key, value]) => ({ name: key, ...encodeAttribute(value) })),
});

function encodeAttribute(value: AttributeValue): object {
  if (typeof value === 'number') return { i: value, type: attributeTypes.int };
  if (typeof value === 'string') return { s: new TextEncoder().encode(value), type: attributeTypes.string };
  if ('float' in value) return { f: value.float, type: attributeTypes.float };
  return { ints: value, type: attributeTypes.ints };
}

function encodeTensor(name: string, { type, dims, data }: OnnxTensor) {
  const elements = dims.reduce((product, size) => product * size, 1);
  if (elements !== data.length)
    throw new Error(
      `constant '${name}': [${dims.join(', ')}] needs ${elements} values, received ${data.length}`,
    );
  const { buffer, byteOffset, byteLength } = data;
  // Typed arrays are little-endian on all platforms of Node.js.
  return {
    name,
    dims,
    dataType: elementTypes[type],
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

const encodeValue = ({ name, type, dims }: OnnxValue) => ({
  name,
  type: {
    tensorType: {
      elemType: elementTypes[type],
      ...(dims && {
        shape: {
          dim: dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size })),
        },
      }),
    },
  },
});
