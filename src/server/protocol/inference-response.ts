/** Responses of the Open Inference Protocol v2: values as JSON or as binary data after it, or the most probable classes. */
import { topClasses } from '../../predict/top-classes.ts';
import { modelVersion, rowLength, type ServedModel } from '../models/served-model.ts';
import type { RequestedOutput } from './inference-request.ts';

export interface InferenceResponse {
  readonly body: Buffer;
  /** Length of the JSON if binary data follow it: `Inference-Header-Content-Length`. */
  readonly headerLength: number | undefined;
}

interface Output {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: () => readonly unknown[];
  readonly bytes: () => Buffer;
}

export function writeInferenceResponse(
  values: Float32Array,
  {
    model,
    rows,
    id,
    outputs,
  }: {
    model: Pick<ServedModel, 'name' | 'output' | 'classes'>;
    rows: number;
    id: string | undefined;
    outputs: readonly RequestedOutput[];
  },
): InferenceResponse {
  const binary: Buffer[] = [];
  const described = outputs.map((requested) => {
    const { datatype, shape, data, bytes } = outputOf(values, { requested, model, rows });
    const head = { name: requested.name, datatype, shape };
    if (!requested.binary) return { ...head, data: data() };
    const raw = bytes();
    binary.push(raw);
    return { ...head, parameters: { binary_data_size: raw.length } };
  });
  const header = Buffer.from(
    JSON.stringify({
      model_name: model.name,
      model_version: modelVersion,
      ...(id !== undefined && { id }),
      outputs: described,
    }),
  );
  return binary.length > 0
    ? { body: Buffer.concat([header, ...binary]), headerLength: header.length }
    : { body: header, headerLength: undefined };
}

function outputOf(
  values: Float32Array,
  {
    requested,
    model,
    rows,
  }: { requested: RequestedOutput; model: Pick<ServedModel, 'output' | 'classes'>; rows: number },
): Output {
  const { output } = model;
  if (requested.classification === undefined)
    return {
      datatype: output.datatype,
      shape: [rows, ...output.shape],
      data: () => Array.from(values),
      bytes: () => Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    };
  const length = rowLength(output);
  const k = Math.min(requested.classification, length);
  const elements = Array.from({ length: rows }, (_, row) =>
    topClasses(values, { row, classes: length, k }).map(({ label, probability }) =>
      classElement({ value: probability, index: label, label: model.classes[label] }),
    ),
  ).flat();
  return {
    datatype: 'BYTES',
    shape: [rows, k],
    data: () => elements,
    bytes: () => Buffer.concat(elements.flatMap(lengthAndBytes)),
  };
}

/** The extension's `<value>:<index>:<label>`, with Triton's six decimals; `<value>:<index>` if the class has no label. */
const classElement = ({
  value,
  index,
  label,
}: {
  value: number;
  index: number;
  label: string | undefined;
}): string => `${value.toFixed(6)}:${index}${label === undefined ? '' : `:${label}`}`;

/** BYTES as binary data: each element preceded by its length, 4 bytes little-endian. */
function lengthAndBytes(text: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return [length, bytes];
}
