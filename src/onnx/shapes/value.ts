/** What is known of a value of an ONNX graph before anything runs. Pure; also for browsers. */
import type { AttributeValue } from '../onnx-graph.ts';

/** A size, or the name of one that is not known. */
export type Dimension = number | string;

export interface Value {
  /** Undefined if not even the number of dimensions is known. */
  readonly dims?: readonly Dimension[] | undefined;
  /** Its numbers, if they are few and known: those of a shape, most of the time. */
  readonly values?: readonly number[] | undefined;
}

export type ShapedAttribute = AttributeValue | { readonly tensor: Value };

export interface ShapedNode {
  readonly op: string;
  readonly name: string;
  /** An empty name is an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, ShapedAttribute>>;
}

/** As much of a graph as shapes need. Nodes stand in topological order. */
export interface ShapedGraph {
  readonly nodes: readonly ShapedNode[];
  readonly constants: ReadonlyMap<string, Value>;
  readonly inputs: readonly { readonly name: string; readonly dims: readonly Dimension[] | undefined }[];
}

/** Numbers of a value that are kept: the shape of a shape. */
export const maxKnownValues = 64;

export const unknown: Value = {};

/** The values of a node's outputs; a single one is its first. */
export type ShapeRule = (
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
  node: ShapedNode,
) => Value | readonly Value[];

/** An axis that may be counted from the end. */
export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Number of elements, if every size is known. */
export function elementsOf({ dims }: Value): number | undefined {
  let product = 1;
  for (const size of dims ?? ['unknown']) {
    if (typeof size === 'string') return undefined;
    product *= size;
  }
  return product;
}

/** Reads the attributes of a node. */
export class Attributes {
  readonly #attributes: ShapedNode['attributes'];

  constructor({ attributes }: ShapedNode) {
    this.#attributes = attributes;
  }

  int(name: string, otherwise: number): number {
    const value = this.#attributes[name];
    return typeof value === 'number' ? value : otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    const value = this.#attributes[name];
    return Array.isArray(value) ? (value as readonly number[]) : undefined;
  }

  text(name: string): string | undefined {
    const value = this.#attributes[name];
    return typeof value === 'string' ? value : undefined;
  }

  tensor(name: string): Value | undefined {
    const value = this.#attributes[name];
    return typeof value === 'object' && 'tensor' in value ? value.tensor : undefined;
  }
}
