/**
 * Records of TensorBoard's event files. Field numbers are those of tensorboard/compat/proto/{event,summary}.proto and
 * tensorboard/plugins/hparams/plugin_data.proto; the framing is that of TFRecord. Pure.
 */
import protobuf from 'protobufjs/minimal.js';
import { maskedCrc32c } from '../../crc32c.ts';

const { Writer } = protobuf;
type WireWriter = InstanceType<typeof Writer>;
type Write = (writer: WireWriter) => WireWriter;

const [varint, fixed64, delimited, fixed32] = [0, 1, 2, 5];

const tag = (field: number, type: number): number => (field << 3) | type;
const message = (writer: WireWriter, field: number, write: Write): WireWriter =>
  write(writer.uint32(tag(field, delimited)).fork()).ldelim();
const text = (writer: WireWriter, field: number, value: string): WireWriter =>
  writer.uint32(tag(field, delimited)).string(value);

/** What an event says: numbers by their tags, an image, or how the run's hyper-parameters are listed. */
export type EventValue =
  | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
  | {
      readonly kind: 'image';
      readonly tag: string;
      readonly png: Uint8Array;
      readonly size: readonly [height: number, width: number];
    }
  | { readonly kind: 'hyperparameters'; readonly values: Readonly<Record<string, HyperparameterValue>> }
  | { readonly kind: 'end' };

export type HyperparameterValue = number | string | boolean;

export interface RunEvent {
  readonly step: number;
  /** Seconds since 1970. */
  readonly seconds: number;
  readonly value: EventValue;
}

/**
 * How every file begins: its version, and that a session starts at step 0, by which TensorBoard drops what it has read of an earlier
 * file of this folder.
 */
export function beginning(seconds: number): Uint8Array {
  const version = text(timed(seconds, 0), 3, 'brain.Event:2').finish();
  const start = message(timed(seconds, 0), 7, (log) => log.uint32(tag(1, varint)).int32(1)).finish();
  return concatenated([framed(version), framed(start)]);
}

/** An event as a record. */
export const encodeEvent = ({ step, seconds, value }: RunEvent): Uint8Array =>
  framed(message(timed(seconds, step), 5, (summary) => writeSummary(summary, { seconds, value })).finish());

/** What is 0 is not written, as protocol buffers have it. */
function timed(seconds: number, step: number): WireWriter {
  const writer = Writer.create().uint32(tag(1, fixed64)).double(seconds);
  return step === 0 ? writer : writer.uint32(tag(2, varint)).int64(step);
}

function writeSummary(
  summary: WireWriter,
  { seconds, value }: Pick<RunEvent, 'seconds' | 'value'>,
): WireWriter {
  switch (value.kind) {
    case 'scalars':
      for (const [name, number] of Object.entries(value.values))
        message(summary, 1, (entry) => text(entry, 1, name).uint32(tag(2, fixed32)).float(number));
      return summary;
    case 'image':
      return message(summary, 1, (entry) =>
        message(text(entry, 1, value.tag), 4, (image) =>
          image
            .uint32(tag(1, varint))
            .int32(value.size[0])
            .uint32(tag(2, varint))
            .int32(value.size[1])
            .uint32(tag(3, varint))
            .int32(rgb)
            .uint32(tag(4, delimited))
            .bytes(value.png),
        ),
      );
    case 'hyperparameters':
      return ofHyperparameters(summary, '_hparams_/session_start_info', (data) =>
        message(data, 3, (start) => {
          for (const [name, each] of Object.entries(value.values))
            message(start, 1, (entry) =>
              message(text(entry, 1, name), 2, (written) => writeValue(written, each)),
            );
          return start.uint32(tag(5, fixed64)).double(seconds);
        }),
      );
    case 'end':
      return ofHyperparameters(summary, '_hparams_/session_end_info', (data) =>
        message(data, 4, (end) =>
          end.uint32(tag(1, varint)).int32(succeeded).uint32(tag(2, fixed64)).double(seconds),
        ),
      );
  }
}

/** Image.colorspace. */
const rgb = 3;
/** Status.STATUS_SUCCESS. */
const succeeded = 1;

/** A value without a number: its metadata say everything, to the plugin `hparams`. */
const ofHyperparameters = (summary: WireWriter, name: string, write: Write): WireWriter =>
  message(summary, 1, (entry) =>
    message(text(entry, 1, name), 9, (metadata) =>
      message(metadata, 1, (plugin) => message(text(plugin, 1, 'hparams'), 2, write)),
    ),
  );

/** google.protobuf.Value. */
function writeValue(writer: WireWriter, value: HyperparameterValue): WireWriter {
  if (typeof value === 'number') return writer.uint32(tag(2, fixed64)).double(value);
  if (typeof value === 'string') return text(writer, 3, value);
  return writer.uint32(tag(4, varint)).bool(value);
}

/** Length, its checksum, the bytes, theirs; checksums are masked as in TFRecord files. */
function framed(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(bytes.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc32c(bytes), true);
  return record;
}

export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
