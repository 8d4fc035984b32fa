/**
 * Makes values inside an ONNX file outputs of it, without a reader or writer of whole files: a message that is given twice is one message
 * with the fields of both (Protocol Buffers, "Last One Wins" and its exception for embedded messages), so that a second graph with
 * nothing but outputs adds them to the first. Pure; also for browsers.
 */
import protobuf from 'protobufjs/minimal.js';

/** Field numbers of onnx.proto. */
const [modelGraph, graphOutput, valueName] = [7, 12, 1];

const lengthDelimited = (field: number): number => (field << 3) | 2;

/** The bytes of a file whose graph also has these outputs. ONNX Runtime finds their types and shapes itself. */
export function addOutputs(model: Uint8Array, names: readonly string[]): Uint8Array<ArrayBuffer> {
  const graph = protobuf.Writer.create();
  for (const name of names) {
    graph
      .uint32(lengthDelimited(graphOutput))
      .fork()
      .uint32(lengthDelimited(valueName))
      .string(name)
      .ldelim();
  }
  const added = protobuf.Writer.create().uint32(lengthDelimited(modelGraph)).bytes(graph.finish()).finish();
  const bytes = new Uint8Array(model.length + added.length);
  bytes.set(model);
  bytes.set(added, model.length);
  return bytes;
}
