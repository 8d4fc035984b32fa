/** An ONNX graph as plain data: produced by the writer, rewritten for other precisions, and then encoded. */

/** ONNX's element types with their numbers in files. */
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

/** Marks what belongs to preprocessing rather than to the network: it stays float32 in every precision. */
export type Part = 'preprocessing';

/** A constant of the graph. Float16 is represented by its 16 bits. */
export interface OnnxTensor {
  readonly part?: Part;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}

/** An integer, integers, a string, or a float, which must be marked as such. */
export type AttributeValue = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly part?: Part;
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** An input or output of the graph; a symbolic dimension may have any size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  /** Undefined lets the reader infer it. */
  readonly dims: readonly (number | string)[] | undefined;
}

export interface OnnxGraph {
  readonly name: string;
  /** In topological order. */
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, OnnxTensor>;
  readonly input: OnnxValue;
  readonly outputs: readonly OnnxValue[];
}

/** The nodes that read each value. */
export function readersOf(graph: OnnxGraph): ReadonlyMap<string, readonly OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const nodes = readers.get(input);
      if (nodes) nodes.push(node);
      else readers.set(input, [node]);
    }
  }
  return readers;
}
