/** An ONNX graph as plain data: what the writer makes, what precision and quantisation rewrite, and what is encoded. */

/** Names of ONNX's element types, by the number that stands in files. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  float16: 10,
} as const;

export type ElementType = keyof typeof elementTypes;

export type OnnxData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array | Uint16Array;

/** What belongs to the way from bytes to the network's input, not to the network: it stays float32 in every precision. */
export type Part = 'preprocessing';

/** A constant of the graph. Float16 is held as its 16 bits. */
export interface OnnxTensor {
  readonly part?: Part;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}

/** A whole number, numbers, text, or a number with a fraction, which has to say so. */
export type AttributeValue = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly part?: Part;
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** An input or output of the graph; a dimension in words may be of any size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  /** Undefined is left to the reader to infer. */
  readonly dims: readonly (number | string)[] | undefined;
}

export interface OnnxGraph {
  readonly name: string;
  /** In an order in which they can be computed. */
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, OnnxTensor>;
  readonly input: OnnxValue;
  readonly outputs: readonly OnnxValue[];
}

/** For every value, the nodes that read it. */
export function readersOf(graph: OnnxGraph): ReadonlyMap<string, readonly OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const known = readers.get(input);
      if (known) known.push(node);
      else readers.set(input, [node]);
    }
  }
  return readers;
}
