/**
 * A `tf.train.Example`, as far as a labelled image needs it: where the bytes of each feature lie, nothing is copied. Field numbers are those
 * of tensorflow/core/example/{example,feature}.proto. Pure.
 */
import protobuf from 'protobufjs/minimal.js';
import { RecordError } from './record-error.ts';

const { Reader } = protobuf;
type WireReader = InstanceType<typeof Reader>;

/** A feature: the places of its byte strings, or its integers; both empty for one of floats. */
export interface Feature {
  readonly bytes: readonly { readonly offset: number; readonly length: number }[];
  readonly integers: readonly number[];
}

/** More are no images with labels. */
const [maxFeatures, maxNameBytes, maxValues] = [1000, 1000, 100_000];

/** Wire types of protocol buffers. */
const [varint, delimited] = [0, 2];

/** A message that is no Example, in words. */
export class WireError extends RecordError {
  override name = 'WireError';
}

/** The features of an encoded Example by name. @throws WireError for bytes that are none */
export function readExample(encoded: Uint8Array): ReadonlyMap<string, Feature> {
  const features = new Map<string, Feature>();
  const reader = Reader.create(encoded);
  reading(() =>
    eachField(reader, encoded.length, {
      // Example.features, Features.feature: a map, whose entries are messages of key and value.
      1: (end) =>
        eachField(reader, end, {
          1: (entryEnd) => {
            const [name, feature] = readEntry(reader, entryEnd, encoded);
            if (features.size >= maxFeatures) throw new WireError(`has more than ${maxFeatures} features`);
            // As in every map of protocol buffers, the last one counts.
            features.set(name, feature);
          },
        }),
    }),
  );
  return features;
}

function readEntry(reader: WireReader, end: number, encoded: Uint8Array): [string, Feature] {
  let name = '';
  const feature = { bytes: [] as { offset: number; length: number }[], integers: [] as number[] };
  const room = () => {
    if (feature.bytes.length + feature.integers.length >= maxValues)
      throw new WireError(`a feature has more than ${maxValues} values`);
  };
  const skipTo = (place: number) => {
    reader.pos = place;
  };
  eachField(reader, end, {
    1: (keyEnd) => {
      if (keyEnd - reader.pos > maxNameBytes) throw new WireError('the name of a feature is too long');
      name = Buffer.from(encoded.subarray(reader.pos, keyEnd)).toString('utf8');
      skipTo(keyEnd);
    },
    2: (valueEnd) =>
      eachField(reader, valueEnd, {
        // BytesList.value
        1: (listEnd) =>
          eachField(reader, listEnd, {
            1: (bytesEnd) => {
              room();
              feature.bytes.push({ offset: reader.pos, length: bytesEnd - reader.pos });
              skipTo(bytesEnd);
            },
          }),
        // Int64List.value, packed or not
        3: (listEnd) =>
          eachField(
            reader,
            listEnd,
            {
              1: (packedEnd) => {
                while (reader.pos < packedEnd) {
                  room();
                  feature.integers.push(integer(reader));
                }
              },
            },
            {
              1: () => {
                room();
                feature.integers.push(integer(reader));
              },
            },
          ),
      }),
  });
  return [name, feature];
}

/** Numbers beyond 2^53 are rounded, but never to below it. */
function integer(reader: WireReader): number {
  const { low, high } = reader.int64();
  return Number((BigInt(high) << 32n) | BigInt(low >>> 0));
}

type Read = Readonly<Record<number, (end: number) => void>>;

/** Reads the fields of a message up to `end`: delimited ones by their numbers, and integers; others are skipped. */
function eachField(reader: WireReader, end: number, fields: Read, varints: Read = {}): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    if (field === 0) throw new WireError('has a field 0');
    if (wire === delimited && fields[field]) {
      const length = reader.uint32();
      const inside = reader.pos + length;
      if (inside > end) throw new WireError('a part is longer than the whole');
      fields[field](inside);
      if (reader.pos !== inside) throw new WireError('a part has another length than it says');
    } else if (wire === varint && varints[field]) varints[field](end);
    else if (wire === 3 || wire === 4) throw new WireError('has a group');
    else reader.skipType(wire);
  }
  if (reader.pos !== end) throw new WireError('a part is longer than the whole');
}

/** The reader of protocol buffers has errors of its own for bytes that end early. */
function reading(read: () => void): void {
  try {
    read();
  } catch (error) {
    // A TypeError is a bug in the code, whatever the bytes.
    if (error instanceof WireError || error instanceof TypeError || !(error instanceof Error)) throw error;
    throw new WireError(error.message, { cause: error });
  }
}
