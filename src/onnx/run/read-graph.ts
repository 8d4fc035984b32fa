/**
 * What shapes need of a file's graph: its nodes, inputs, and constants with their sizes but without their values, unless they are
 * few. For files that `validateModel` has accepted. Pure; also for browsers.
 */
import protobuf from 'protobufjs/minimal.js';
import { DeployError } from '../deploy-error.ts';
import {
  type Dimension,
  maxKnownValues,
  type ShapedAttribute,
  type ShapedGraph,
  type ShapedNode,
  type Value,
} from '../shapes/value.ts';

/** Each node costs a few hundred bytes here; the largest networks of images have some thousand. */
const maxNodes = 100_000;

/** A field of a message: a number, or the bytes of what it contains. */
type Field = readonly [id: number, value: number | Uint8Array];

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [id, wire] = [tag >>> 3, tag & 7];
    if (wire === 2) yield [id, reader.bytes()];
    else if (wire === 0) yield [id, numberOf(reader.int64())];
    else if (wire === 5) yield [id, reader.float()];
    else reader.skipType(wire);
  }
}

/** protobufjs gives int64 as an object where the package `long` is installed. */
const numberOf = (value: unknown): number =>
  typeof value === 'number' ? value : (value as { toNumber(): number }).toNumber();

const decoder = new TextDecoder();

const textOf = (value: number | Uint8Array): string =>
  typeof value === 'number' ? '' : decoder.decode(value);

/** Numbers of a repeated field, packed into bytes or one by one; more than `most` are not read. */
function addNumbers(numbers: number[], value: number | Uint8Array, most: number): void {
  if (typeof value === 'number') {
    if (numbers.length <= most) numbers.push(value);
    return;
  }
  const reader = protobuf.Reader.create(value);
  while (reader.pos < reader.len && numbers.length <= most) numbers.push(numberOf(reader.int64()));
}

/** @throws DeployError if the graph is not one, or too large to be looked at */
export function readGraph(model: Uint8Array, path: string): ShapedGraph {
  try {
    const graphs = [...fieldsOf(model)].filter(([id]) => id === 7).map(([, value]) => value);
    const [bytes, ...others] = graphs;
    if (!(bytes instanceof Uint8Array) || others.length > 0)
      throw new DeployError(`expected one graph, received ${graphs.length}`);
    return graphOf(bytes);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    const reason = error instanceof DeployError ? error.message : `it is not an ONNX file (${error.message})`;
    throw new DeployError(`${path}: ${reason}`, { cause: error });
  }
}

function graphOf(bytes: Uint8Array): ShapedGraph {
  const nodes: ShapedNode[] = [];
  const constants = new Map<string, Value>();
  const inputs: ShapedGraph['inputs'][number][] = [];
  for (const [id, value] of fieldsOf(bytes)) {
    if (!(value instanceof Uint8Array)) continue;
    if (id === 1) {
      if (nodes.length === maxNodes)
        throw new DeployError(`it has more than ${maxNodes} nodes; expected the graph of a network`);
      nodes.push(nodeOf(value));
    } else if (id === 5) {
      const { name, tensor } = tensorOf(value);
      constants.set(name, tensor);
    } else if (id === 11) inputs.push(inputOf(value));
  }
  return { nodes, constants, inputs };
}

function nodeOf(bytes: Uint8Array): ShapedNode {
  const node = { op: '', name: '', inputs: [] as string[], outputs: [] as string[] };
  const attributes: Record<string, ShapedAttribute> = {};
  for (const [id, value] of fieldsOf(bytes)) {
    if (id === 1) node.inputs.push(textOf(value));
    else if (id === 2) node.outputs.push(textOf(value));
    else if (id === 3) node.name = textOf(value);
    else if (id === 4) node.op = textOf(value);
    else if (id === 5 && value instanceof Uint8Array) {
      const [name, attribute] = attributeOf(value);
      if (attribute !== undefined) attributes[name] = attribute;
    }
  }
  return { ...node, attributes };
}

/** Only what decides on shapes: integers, texts and tensors. */
function attributeOf(bytes: Uint8Array): [name: string, value: ShapedAttribute | undefined] {
  let name = '';
  let attribute: ShapedAttribute | undefined;
  let type = 0;
  const ints: number[] = [];
  for (const [id, value] of fieldsOf(bytes)) {
    if (id === 1) name = textOf(value);
    else if (id === 3 && typeof value === 'number') attribute = value;
    else if (id === 4) attribute = textOf(value);
    else if (id === 5 && value instanceof Uint8Array) attribute = { tensor: tensorOf(value).tensor };
    else if (id === 8) addNumbers(ints, value, maxKnownValues);
    else if (id === 20 && typeof value === 'number') type = value;
  }
  if (ints.length > 0) return [name, ints];
  // Encoders may leave out a zero: 2 is the type of an integer.
  return [name, attribute ?? (type === 2 ? 0 : undefined)];
}

/** How a tensor's raw bytes are read, by its type: float32, int32, int64, float64. */
const elements: Readonly<
  Record<number, { bytes: number; read: (view: DataView, offset: number) => number }>
> = {
  1: { bytes: 4, read: (view, offset) => view.getFloat32(offset, true) },
  6: { bytes: 4, read: (view, offset) => view.getInt32(offset, true) },
  7: { bytes: 8, read: (view, offset) => Number(view.getBigInt64(offset, true)) },
  11: { bytes: 8, read: (view, offset) => view.getFloat64(offset, true) },
};

function tensorOf(bytes: Uint8Array): { name: string; tensor: Value } {
  let [name, type] = ['', 0];
  const dims: number[] = [];
  let raw: Uint8Array | undefined;
  const integers: number[] = [];
  for (const [id, value] of fieldsOf(bytes)) {
    if (id === 1) addNumbers(dims, value, maxKnownValues);
    else if (id === 2 && typeof value === 'number') type = value;
    else if (id === 5 || id === 7) addNumbers(integers, value, maxKnownValues);
    else if (id === 8) name = textOf(value);
    else if (id === 9 && value instanceof Uint8Array) raw = value;
  }
  const count = dims.reduce((product, size) => product * size, 1);
  const element = elements[type];
  if (count > maxKnownValues || !element) return { name, tensor: { dims } };
  if (raw && raw.length === count * element.bytes) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const values = Array.from({ length: count }, (_, index) => element.read(view, index * element.bytes));
    return { name, tensor: { dims, values } };
  }
  return { name, tensor: { dims, ...(integers.length === count && { values: integers }) } };
}

function inputOf(bytes: Uint8Array): { name: string; dims: readonly Dimension[] | undefined } {
  let name = '';
  let dims: Dimension[] | undefined;
  const inside = (message: Uint8Array, wanted: number): Uint8Array | undefined =>
    [...fieldsOf(message)].findLast(([id]) => id === wanted)?.[1] as Uint8Array | undefined;
  for (const [id, value] of fieldsOf(bytes)) {
    if (id === 1) name = textOf(value);
    if (id !== 2 || !(value instanceof Uint8Array)) continue;
    // TypeProto.tensor_type, then its shape.
    const tensor = inside(value, 1);
    const shape = tensor instanceof Uint8Array ? inside(tensor, 2) : undefined;
    if (shape instanceof Uint8Array)
      dims = [...fieldsOf(shape)].map(([, dimension]) =>
        dimension instanceof Uint8Array ? dimensionOf(dimension) : 'unknown',
      );
  }
  return { name, dims };
}

function dimensionOf(bytes: Uint8Array): Dimension {
  let size: Dimension = 'unknown';
  for (const [id, value] of fieldsOf(bytes)) {
    if (id === 1 && typeof value === 'number' && value >= 0) size = value;
    if (id === 2) size = textOf(value);
  }
  return size;
}
