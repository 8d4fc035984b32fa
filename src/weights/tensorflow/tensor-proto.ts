/** The values of a TensorProto (tensorflow/core/framework/tensor.proto), in which files of saved slices store them. */
import protobuf from 'protobufjs/minimal.js';
import { type TensorData, type TensorInfo, WeightsError } from '../tensor-file.ts';
import { readingWire, wireTypes } from './messages.ts';
import { type ElementType, elementCount } from './types.ts';

const { Reader } = protobuf;

const message = 'TensorProto';
const tensorContent = 4;

/** @throws WeightsError if their number does not match the shape. */
export function decodeTensorValues(
  encoded: Uint8Array,
  { info, type }: { info: TensorInfo; type: ElementType },
): TensorData {
  return readingWire(message, () => {
    const count = elementCount(info.shape);
    let content = new Uint8Array() as Uint8Array;
    for (const part of valueParts(encoded, { field: tensorContent, wire: 'bytes' })) content = part;
    if (content.length > 0) {
      checkCount(info, content.length / type.bytes);
      return new type.array(new Uint8Array(content).buffer);
    }
    const parts = () => valueParts(encoded, type);
    // Counted before anything is allocated, because the shape is untrusted.
    let received = 0;
    for (const part of parts()) received += type.set ? varintCount(part) : part.length / type.bytes;
    checkCount(info, received);
    const buffer = new ArrayBuffer(count * type.bytes);
    return type.set
      ? fillFromVarints(new type.array(buffer), type.set, parts())
      : fill(buffer, type, parts());
  });
}

function checkCount({ dtype, shape }: TensorInfo, received: number): void {
  const expected = elementCount(shape);
  if (received === expected) return;
  throw new WeightsError(`${dtype} [${shape.join(', ')}] needs ${expected} values, the file has ${received}`);
}

/** The bytes of all values of a field, packed or with a tag each. */
function* valueParts(
  encoded: Uint8Array,
  { field, wire }: Pick<ElementType, 'field'> & { wire: ElementType['wire'] | 'bytes' },
): Generator<Uint8Array> {
  const reader = Reader.create(encoded);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 !== field) reader.skipType(tag & 7);
    else if ((tag & 7) === wireTypes.bytes) yield reader.bytes();
    else if ((tag & 7) === wireTypes[wire]) {
      const start = reader.pos;
      reader.skipType(tag & 7);
      yield encoded.subarray(start, reader.pos);
    } else {
      throw new WeightsError(
        `field ${field} of a ${message} has the wire type ${tag & 7}, expected ${wireTypes[wire]} (${wire})`,
      );
    }
  }
}

/** Every varint ends with a byte whose high bit is clear. */
function varintCount(part: Uint8Array): number {
  let count = 0;
  for (const byte of part) if (byte < 0x80) count++;
  return count;
}

function fillFromVarints(
  array: TensorData,
  set: NonNullable<ElementType['set']>,
  parts: Iterable<Uint8Array>,
): TensorData {
  let index = 0;
  for (const part of parts) {
    const reader = Reader.create(part);
    while (reader.pos < reader.len) set(array, { index: index++, reader });
  }
  return array;
}

function fill(buffer: ArrayBuffer, type: ElementType, parts: Iterable<Uint8Array>): TensorData {
  const bytes = new Uint8Array(buffer);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return new type.array(buffer);
}
