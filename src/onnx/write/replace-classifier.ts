/**
 * Gives an .onnx file of this package another classifier: a new linear layer on what the old one read. Fields that stay are copied as
 * they are, so that no reader or writer of whole files is needed. For files that `validateModel` has accepted. Pure; also for browsers.
 */
import protobuf from 'protobufjs/minimal.js';
import { type ModelDescription, modelMetadata } from '../../model/description.ts';
import { DeployError } from '../deploy-error.ts';
import { readGraph } from '../run/read-graph.ts';
import type { ShapedGraph, ShapedNode } from '../shapes/value.ts';

export interface NewClassifier {
  /** [classes, features] */
  readonly weight: Float32Array;
  /** [classes] */
  readonly bias: Float32Array;
  /** What the new file says of itself. */
  readonly description: ModelDescription;
  /** Where the file is from, for messages. */
  readonly path: string;
}

/** Field numbers of onnx.proto. */
const model = { graph: 7, metadata: 14 } as const;
const graph = { node: 1, initializer: 5, output: 12, valueInfo: 13 } as const;

/** Whether a field is written into the new file, by its bytes. */
type Keep = (content: Uint8Array) => boolean;

/** Names of what is added. */
const added = {
  features: 'taught/features',
  weight: 'taught/weight',
  bias: 'taught/bias',
  logits: 'taught/logits',
};

/**
 * The value that the classifier and its hidden layers read, [n, features].
 * @throws DeployError for a file without a fully connected classifier
 */
export function classifierInput({ nodes }: ShapedGraph, path: string): string {
  const maker = makers(nodes);
  let first = nodes.findLast(({ op }) => op === 'Gemm');
  if (!first)
    throw new DeployError(
      `${path}: its classifier is not fully connected; expected one that reads a vector of features`,
    );
  for (;;) {
    // Hidden layers, each with its ReLU.
    const before = maker.get(first.inputs[0] as string);
    const hidden: ShapedNode | undefined =
      before?.op === 'Relu' ? maker.get(before.inputs[0] as string) : before;
    if (hidden?.op !== 'Gemm') return first.inputs[0] as string;
    first = hidden;
  }
}

const makers = (nodes: readonly ShapedNode[]): ReadonlyMap<string, ShapedNode> =>
  new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));

/**
 * The bytes of the file with the new classifier, whose logits are its only output. Layers and weights that nothing needs any more are
 * left out.
 * @throws DeployError as `classifierInput`
 */
export function replaceClassifier(
  file: Uint8Array,
  { weight, bias, description, path }: NewClassifier,
): Uint8Array<ArrayBuffer> {
  const shaped = readGraph(file, path);
  const features = classifierInput(shaped, path);
  const { kept, used } = needed(shaped, features);
  const made = new Set([...kept].flatMap((node) => shaped.nodes[node]?.outputs ?? []));
  let node = 0;
  const keepInGraph: Readonly<Record<number, Keep>> = {
    [graph.node]: () => kept.has(node++),
    [graph.initializer]: (content) => used.has(textIn(content, 8)),
    [graph.output]: () => false,
    [graph.valueInfo]: (content) => made.has(textIn(content, 1)),
  };
  const metadata = {
    ...modelMetadata(description),
    labels: JSON.stringify(description.classes),
    output: 'logits',
  };
  const { format: _, ...entries } = metadata as Record<string, string>;
  const writer = protobuf.Writer.create();
  copyFields(file, {
    writer,
    keep: { [model.graph]: () => false, [model.metadata]: (content) => !(textIn(content, 1) in entries) },
  });
  writer.uint32(bytesTag(model.graph)).fork();
  copyFields(contentOf(file, model.graph), { writer, keep: keepInGraph });
  addLayer(writer, { features, weight, bias });
  writer.ldelim();
  for (const [key, value] of Object.entries(entries))
    message(writer, model.metadata, () =>
      writer.uint32(bytesTag(1)).string(key).uint32(bytesTag(2)).string(value),
    );
  return new Uint8Array(writer.finish());
}

/** The nodes that a value depends on, by their places, and the names that they read. */
function needed(
  { nodes }: ShapedGraph,
  value: string,
): { kept: ReadonlySet<number>; used: ReadonlySet<string> } {
  const used = new Set([value]);
  const kept = new Set<number>();
  // Nodes stand in the order in which they can run.
  for (let at = nodes.length - 1; at >= 0; at--) {
    const { outputs, inputs } = nodes[at] as ShapedNode;
    if (!outputs.some((name) => used.has(name))) continue;
    kept.add(at);
    for (const name of inputs) used.add(name);
  }
  return { kept, used };
}

const bytesTag = (field: number): number => (field << 3) | 2;
const numberTag = (field: number): number => field << 3;

function message(writer: protobuf.Writer, field: number, write: () => unknown): void {
  writer.uint32(bytesTag(field)).fork();
  write();
  writer.ldelim();
}

interface Layer extends Pick<NewClassifier, 'weight' | 'bias'> {
  /** The value that it reads. */
  readonly features: string;
}

/** FLOAT of TensorProto.DataType. */
const float32 = 1;

function addLayer(writer: protobuf.Writer, { features, weight, bias }: Layer): void {
  const classes = bias.length;
  // Features of a float16 file become float32; a runtime drops the cast of what is that already.
  addNode(writer, { op: 'Cast', inputs: [features], output: added.features, attribute: ['to', float32] });
  addNode(writer, {
    op: 'Gemm',
    inputs: [added.features, added.weight, added.bias],
    output: added.logits,
    attribute: ['transB', 1],
  });
  addTensor(writer, { name: added.weight, dims: [classes, weight.length / classes], values: weight });
  addTensor(writer, { name: added.bias, dims: [classes], values: bias });
  message(writer, graph.output, () => {
    writer.uint32(bytesTag(1)).string(added.logits);
    // ValueInfoProto.type, TypeProto.tensor_type: its element type and shape.
    message(writer, 2, () =>
      message(writer, 1, () => {
        writer.uint32(numberTag(1)).int32(float32);
        message(writer, 2, () => {
          message(writer, 1, () => writer.uint32(bytesTag(2)).string('n'));
          message(writer, 1, () => writer.uint32(numberTag(1)).int64(classes));
        });
      }),
    );
  });
}

interface AddedNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attribute: readonly [name: string, value: number];
}

function addNode(writer: protobuf.Writer, { op, inputs, output, attribute: [name, value] }: AddedNode): void {
  message(writer, graph.node, () => {
    for (const input of inputs) writer.uint32(bytesTag(1)).string(input);
    writer.uint32(bytesTag(2)).string(output).uint32(bytesTag(3)).string(output);
    writer.uint32(bytesTag(4)).string(op);
    message(writer, 5, () => {
      writer.uint32(bytesTag(1)).string(name).uint32(numberTag(3)).int64(value);
      // AttributeProto.type: INT.
      writer.uint32(numberTag(20)).int32(2);
    });
  });
}

function addTensor(
  writer: protobuf.Writer,
  { name, dims, values }: { name: string; dims: readonly number[]; values: Float32Array },
): void {
  message(writer, graph.initializer, () => {
    for (const size of dims) writer.uint32(numberTag(1)).int64(size);
    writer.uint32(numberTag(2)).int32(float32).uint32(bytesTag(8)).string(name);
    writer.uint32(bytesTag(9)).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  });
}

/** Copies fields as they are, without those that are not kept. */
function copyFields(
  bytes: Uint8Array,
  { writer, keep }: { writer: protobuf.Writer; keep: Readonly<Record<number, Keep>> },
): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    if (wire === 2) {
      const content = reader.bytes();
      if (keep[field]?.(content) ?? true) writer.uint32(tag).bytes(content);
      continue;
    }
    const start = reader.pos;
    reader.skipType(wire);
    writer.uint32(tag).raw(bytes.subarray(start, reader.pos));
  }
}

/** The bytes of the only field with this number. */
function contentOf(bytes: Uint8Array, wanted: number): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === bytesTag(wanted)) return reader.bytes();
    reader.skipType(tag & 7);
  }
  return new Uint8Array();
}

const textIn = (bytes: Uint8Array, field: number): string =>
  new TextDecoder().decode(contentOf(bytes, field));
