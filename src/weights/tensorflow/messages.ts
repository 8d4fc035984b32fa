/**
 * TensorFlow's protocol buffer messages for checkpoints, as far as weights need them. Field numbers are those of
 * tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/saved_tensor_slice.proto and
 * tensorflow/core/framework/{tensor_shape,tensor_slice,versions}.proto.
 */
import protobuf from 'protobufjs/minimal.js';
import { WeightsError } from '../tensor-file.ts';

const { Reader } = protobuf;

export type WireReader = InstanceType<typeof Reader>;

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = keyof typeof wireTypes;

interface FieldRule {
  readonly wire: WireType;
  read(reader: WireReader): void;
}

/** Numbers beyond 2^53 are rounded, but never to below it, so that range checks reject them. */
const integer = (take: (value: number) => void): FieldRule => ({
  wire: 'varint',
  read: (reader) => take(Number(readInt64(reader))),
});

/** protobufjs returns 64 bits as two halves. */
export function readInt64(reader: WireReader): bigint {
  const { low, high } = reader.int64();
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

const fixed32 = (take: (value: number) => void): FieldRule => ({
  wire: 'fixed32',
  read: (reader) => take(reader.fixed32()),
});

const bytes = (take: (value: Uint8Array) => void): FieldRule => ({
  wire: 'bytes',
  read: (reader) => take(reader.bytes()),
});

const text = (take: (value: string) => void): FieldRule => bytes((value) => take(decodeName(value)));

/** @throws WeightsError */
export function decodeName(name: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    throw new WeightsError(`the name ${JSON.stringify(Buffer.from(name).toString('latin1'))} is not UTF-8`);
  }
}

/** Converts errors of the protocol buffer reader to WeightsErrors. @throws WeightsError */
export function readingWire<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // A TypeError is a bug in the code, whatever the bytes.
    if (error instanceof WeightsError || error instanceof TypeError || !(error instanceof Error)) throw error;
    throw new WeightsError(`a ${message} cannot be read: ${error.message}`, { cause: error });
  }
}

function readMessage(message: string, encoded: Uint8Array, rules: Readonly<Record<number, FieldRule>>): void {
  readingWire(message, () => {
    const reader = Reader.create(encoded);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const rule = rules[tag >>> 3];
      if (!rule) reader.skipType(tag & 7);
      else if (wireTypes[rule.wire] === (tag & 7)) rule.read(reader);
      else {
        throw new WeightsError(
          `field ${tag >>> 3} of a ${message} has the wire type ${tag & 7}, expected ${wireTypes[rule.wire]} (${rule.wire})`,
        );
      }
    }
  });
}

export interface BundleHeader {
  readonly shards: number;
  readonly bigEndian: boolean;
  /** Minimum reader version required. */
  readonly minReader: number;
}

export function decodeBundleHeader(encoded: Uint8Array): BundleHeader {
  const header = { shards: 0, bigEndian: false, minReader: 0 };
  readMessage('BundleHeaderProto', encoded, {
    1: integer((value) => {
      header.shards = value;
    }),
    2: integer((value) => {
      header.bigEndian = value !== 0;
    }),
    3: bytes((version) => {
      header.minReader = decodeMinReader(version);
    }),
  });
  return header;
}

function decodeMinReader(encoded: Uint8Array): number {
  let minReader = 0;
  readMessage('VersionDef', encoded, {
    2: integer((value) => {
      minReader = value;
    }),
  });
  return minReader;
}

export interface BundleEntry {
  /** A number of tensorflow/core/framework/types.proto. */
  readonly type: number;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** Masked. */
  readonly checksum: number;
  /** Number of slices of a partitioned variable, otherwise 0. */
  readonly slices: number;
}

export function decodeBundleEntry(encoded: Uint8Array): BundleEntry {
  const entry = {
    type: 0,
    shape: [] as readonly number[],
    shard: 0,
    offset: 0,
    size: 0,
    checksum: 0,
    slices: 0,
  };
  readMessage('BundleEntryProto', encoded, {
    1: integer((value) => {
      entry.type = value;
    }),
    2: bytes((shape) => {
      entry.shape = decodeShape(shape);
    }),
    3: integer((value) => {
      entry.shard = value;
    }),
    4: integer((value) => {
      entry.offset = value;
    }),
    5: integer((value) => {
      entry.size = value;
    }),
    6: fixed32((value) => {
      entry.checksum = value;
    }),
    7: bytes(() => {
      entry.slices++;
    }),
  });
  return entry;
}

/** TensorFlow allows 254, but no network needs more. */
const maxDimensions = 32;

function decodeShape(encoded: Uint8Array): readonly number[] {
  const shape: number[] = [];
  readMessage('TensorShapeProto', encoded, {
    2: bytes((dimension) => {
      if (shape.length === maxDimensions) {
        throw new WeightsError(`expected a shape of at most ${maxDimensions} dimensions, received more`);
      }
      shape.push(decodeDimension(dimension));
    }),
    3: integer((unknown) => {
      if (unknown !== 0)
        throw new WeightsError('expected the shape of a tensor, received one of unknown rank');
    }),
  });
  return shape;
}

function decodeDimension(encoded: Uint8Array): number {
  let size = 0;
  readMessage('TensorShapeProto', encoded, {
    1: integer((value) => {
      size = value;
    }),
  });
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new WeightsError(`expected a size from 0 to below 2^53 in a shape, received ${size}`);
}

/** Range in one dimension; without a length, all of it. */
export interface Extent {
  readonly start: number;
  readonly length: number | undefined;
}

export interface SlicedTensor {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  /** Number of slices in which its values are stored. */
  readonly slices: number;
  readonly firstSlice: readonly Extent[];
}

const maxTensors = 100_000;

/** Decodes the empty key's value in a file of saved slices: its tensors, without values. */
export function decodeSlicesMeta(encoded: Uint8Array): { tensors: SlicedTensor[]; minReader: number } {
  const tensors: SlicedTensor[] = [];
  let minReader = 0;
  readMessage('SavedTensorSlices', encoded, {
    1: bytes((meta) =>
      readMessage('SavedTensorSliceMeta', meta, {
        1: bytes((tensor) => {
          if (tensors.length === maxTensors) {
            throw new WeightsError(`expected at most ${maxTensors} tensors, received more`);
          }
          tensors.push(decodeSlicedTensor(tensor));
        }),
        2: bytes((version) => {
          minReader = decodeMinReader(version);
        }),
      }),
    ),
  });
  return { tensors, minReader };
}

function decodeSlicedTensor(encoded: Uint8Array): SlicedTensor {
  const tensor = {
    name: '',
    type: 0,
    shape: [] as readonly number[],
    slices: 0,
    firstSlice: [] as readonly Extent[],
  };
  readMessage('SavedSliceMeta', encoded, {
    1: text((name) => {
      tensor.name = name;
    }),
    2: bytes((shape) => {
      tensor.shape = decodeShape(shape);
    }),
    3: integer((type) => {
      tensor.type = type;
    }),
    4: bytes((slice) => {
      if (tensor.slices++ === 0) tensor.firstSlice = decodeSlice(slice);
    }),
  });
  return tensor;
}

function decodeSlice(encoded: Uint8Array): readonly Extent[] {
  const extents: Extent[] = [];
  readMessage('TensorSliceProto', encoded, {
    1: bytes((extent) => {
      if (extents.length === maxDimensions) {
        throw new WeightsError(`expected a slice of at most ${maxDimensions} dimensions, received more`);
      }
      extents.push(decodeExtent(extent));
    }),
  });
  return extents;
}

function decodeExtent(encoded: Uint8Array): Extent {
  const extent = { start: 0, length: undefined as number | undefined };
  readMessage('TensorSliceProto', encoded, {
    1: integer((value) => {
      extent.start = value;
    }),
    2: integer((value) => {
      extent.length = value;
    }),
  });
  return extent;
}

/** Decodes the value of a slice's key: the name again, and its TensorProto, still encoded. */
export function decodeSavedSlice(encoded: Uint8Array): { name: string; tensor: Uint8Array } {
  const slice = { name: '', tensor: new Uint8Array() as Uint8Array };
  readMessage('SavedTensorSlices', encoded, {
    2: bytes((data) =>
      readMessage('SavedSlice', data, {
        1: text((name) => {
          slice.name = name;
        }),
        3: bytes((tensor) => {
          slice.tensor = tensor;
        }),
      }),
    ),
  });
  return slice;
}
