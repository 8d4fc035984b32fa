/**
 * Requests of the Open Inference Protocol v2, `POST …/infer`, with the binary-tensor-data and classification extensions:
 * from the body to checked values.
 */

import { z } from 'zod';
import { describeIssues } from '../../parse-json.ts';
import { parseObject } from '../http/json.ts';
import { RequestError } from '../http/request-error.ts';
import { rowLength, type ServedModel, type TensorSpec, type Values } from '../models/served-model.ts';

/** All datatypes of the protocol: an unknown one is malformed; a known one may still not be this model's. */
const datatypes = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
  'BF16',
] as const;

const parameters = z.record(z.string(), z.unknown());
const tensorName = z.string().max(1000);

const inputSchema = z.object({
  name: tensorName,
  shape: z.array(z.int().min(0)).max(8),
  datatype: z.enum(datatypes),
  parameters: parameters.optional(),
  data: z.array(z.unknown()).optional(),
});

const outputSchema = z.object({ name: tensorName, parameters: parameters.optional() });

/** Lists are bounded so that a request cannot ask for more work than its tensors justify. */
const requestSchema = z.object({
  id: z.string().max(1000).optional(),
  parameters: parameters.optional(),
  inputs: z.array(inputSchema).min(1).max(16),
  outputs: z.array(outputSchema).max(16).optional(),
});

type Input = z.infer<typeof inputSchema>;

export interface RequestedOutput {
  readonly name: string;
  readonly binary: boolean;
  /** Number of most probable classes to return instead of all values. */
  readonly classification?: number;
}

export interface InferenceRequest {
  readonly id: string | undefined;
  readonly values: Values;
  readonly rows: number;
  readonly outputs: readonly RequestedOutput[];
  /** How long the client will wait. */
  readonly timeoutMs: number | undefined;
}

export interface RequestLimits {
  /** Maximum number of rows, or images, per request. */
  readonly images: number;
}

/**
 * Parses a body. `headerLength` is the value of `Inference-Header-Content-Length`: the length of the JSON before the binary
 * data; without it the whole body is JSON.
 * @throws RequestError saying where in the request, what was expected and what was received.
 */
export function readInferenceRequest(
  body: Uint8Array,
  {
    headerLength,
    model,
    limits,
  }: {
    headerLength: string | undefined;
    model: Pick<ServedModel, 'name' | 'input' | 'output'>;
    limits: RequestLimits;
  },
): InferenceRequest {
  const jsonLength = jsonLengthOf(headerLength, body.length);
  // Besides the values: names, shapes, parameters.
  const maxValues = limits.images * rowLength(model.input) + 10_000;
  const request = check(parseObject(body.subarray(0, jsonLength), { what: 'body', maxValues }));
  refuseSequences(request.parameters);
  const input = onlyInput(request.inputs, model);
  const rows = rowsOf(input, { spec: model.input, limits });
  const values = valuesOf(input, { spec: model.input, rows, binary: body.subarray(jsonLength) });
  const binaryByDefault = flag(request.parameters, 'binary_data_output', 'parameters') ?? false;
  const outputs = (request.outputs?.length ? request.outputs : [{ name: model.output.name }]).map(
    (output, index) => readOutput(output, { index, model, binaryByDefault }),
  );
  const names = outputs.map(({ name }) => name);
  if (new Set(names).size < names.length)
    throw new RequestError(400, `outputs: '${names[0]}' is requested twice`);
  return { id: request.id, values, rows, outputs, timeoutMs: timeoutOf(request.parameters) };
}

/** Length of the JSON at the beginning of a body. @throws RequestError */
export function jsonLengthOf(text: string | undefined, bodyLength: number): number {
  if (text === undefined) return bodyLength;
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(length <= bodyLength))
    throw new RequestError(
      400,
      `Inference-Header-Content-Length: expected at most the body's ${bodyLength} bytes, received '${text.slice(0, 40)}'`,
    );
  return length;
}

function check(value: Readonly<Record<string, unknown>>): z.infer<typeof requestSchema> {
  const result = requestSchema.safeParse(value);
  if (result.success) return result.data;
  throw new RequestError(400, describeIssues(result.error.issues, { root: 'body', limit: 5 }));
}

type Parameters = Readonly<Record<string, unknown>> | undefined;

/** Ignoring them silently would be wrong: a sequence needs all its requests in order on one model. */
function refuseSequences(params: Parameters): void {
  const sequenceKey = ['sequence_id', 'sequence_start', 'sequence_end'].find(
    (key) => params?.[key] !== undefined,
  );
  if (sequenceKey) throw new RequestError(400, `parameters.${sequenceKey}: sequences are not supported`);
}

function onlyInput(
  inputs: readonly Input[],
  { name: model, input: { name } }: Pick<ServedModel, 'name' | 'input'>,
): Input {
  const other = inputs.find((input) => input.name !== name);
  if (other)
    throw new RequestError(
      400,
      `inputs: '${model}' has no input '${other.name}'; its only input is '${name}'`,
    );
  if (inputs.length > 1) throw new RequestError(400, `inputs: '${name}' appears ${inputs.length} times`);
  return inputs[0] as Input;
}

function rowsOf(
  { name, shape, datatype }: Input,
  { spec, limits }: { spec: TensorSpec; limits: RequestLimits },
): number {
  if (datatype !== spec.datatype)
    throw new RequestError(400, `${name}: expected datatype ${spec.datatype}, received ${datatype}`);
  const [rows = 0, ...row] = shape;
  const fits = row.length === spec.shape.length && row.every((size, axis) => size === spec.shape[axis]);
  if (!fits || rows < 1)
    throw new RequestError(
      400,
      `${name}: expected shape [n, ${spec.shape.join(', ')}], received [${shape.join(', ')}]`,
    );
  if (rows > limits.images)
    throw new RequestError(400, `${name}: at most ${limits.images} images per request, received ${rows}`);
  return rows;
}

function valuesOf(
  input: Input,
  { spec, rows, binary }: { spec: TensorSpec; rows: number; binary: Uint8Array },
): Values {
  const { name, parameters: params } = input;
  const shared = Object.keys(params ?? {}).find((key) => key.startsWith('shared_memory'));
  if (shared)
    throw new RequestError(
      400,
      `${name}: shared memory is not supported; send the values as JSON or binary data`,
    );
  const size = params?.binary_data_size;
  const length = rows * rowLength(spec);
  if (size === undefined) {
    if (binary.length > 0)
      throw new RequestError(
        400,
        `${name}: ${binary.length} bytes follow the JSON, but no input claims them`,
      );
    if (!input.data)
      throw new RequestError(400, `${name}: expected 'data', or 'binary_data_size' in its parameters`);
    return fromJson(input.data, { spec, length, name });
  }
  if (input.data)
    throw new RequestError(400, `${name}: expected 'data' or 'binary_data_size', received both`);
  const bytes = length * (spec.datatype === 'FP32' ? 4 : 1);
  if (size !== bytes || binary.length !== bytes)
    throw new RequestError(
      400,
      `${name}: expected ${bytes} bytes of binary data, received binary_data_size ${JSON.stringify(size).slice(0, 40)} and ${binary.length} bytes`,
    );
  if (spec.datatype === 'UINT8') return binary;
  // A copy, because a Float32Array must start at a multiple of four bytes.
  return new Float32Array(new Uint8Array(binary).buffer);
}

/** Flat, or nested like the shape; the protocol allows both. */
function fromJson(
  data: readonly unknown[],
  { spec, length, name }: { spec: TensorSpec; length: number; name: string },
): Values {
  const isByte = spec.datatype === 'UINT8';
  const values = isByte ? new Uint8Array(length) : new Float32Array(length);
  let index = 0;
  const write = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) write(item);
      return;
    }
    const fits =
      typeof value === 'number' && (!isByte || (Number.isInteger(value) && value >= 0 && value <= 255));
    if (!fits)
      throw new RequestError(
        400,
        `${name}.data: expected ${isByte ? 'integers from 0 to 255' : 'numbers'}, received ${JSON.stringify(value).slice(0, 40)} at index ${index}`,
      );
    if (index < length) values[index] = value;
    index++;
  };
  write(data);
  if (index !== length)
    throw new RequestError(400, `${name}.data: expected ${length} values, received ${index}`);
  return values;
}

function readOutput(
  { name, parameters: params }: z.infer<typeof outputSchema>,
  {
    index,
    model,
    binaryByDefault,
  }: { index: number; model: Pick<ServedModel, 'name' | 'output'>; binaryByDefault: boolean },
): RequestedOutput {
  const where = `outputs.${index}.parameters`;
  if (name !== model.output.name)
    throw new RequestError(
      400,
      `outputs.${index}: '${model.name}' has no output '${name}'; its only output is '${model.output.name}'`,
    );
  if (Object.keys(params ?? {}).some((key) => key.startsWith('shared_memory')))
    throw new RequestError(400, `${where}: shared memory is not supported`);
  const count = params?.classification;
  if (count !== undefined && !(Number.isSafeInteger(count) && (count as number) >= 1))
    throw new RequestError(
      400,
      `${where}.classification: expected an integer of at least 1, received ${JSON.stringify(count).slice(0, 40)}`,
    );
  return {
    name,
    binary: flag(params, 'binary_data', where) ?? binaryByDefault,
    ...(count !== undefined && { classification: count as number }),
  };
}

function flag(params: Parameters, key: string, where: string): boolean | undefined {
  const value = params?.[key];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new RequestError(
    400,
    `${where}.${key}: expected true or false, received ${JSON.stringify(value).slice(0, 40)}`,
  );
}

/** Triton's request timeout, in microseconds. */
function timeoutOf(params: Parameters): number | undefined {
  const value = params?.timeout;
  if (value === undefined || value === 0) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new RequestError(
      400,
      `parameters.timeout: expected an integer number of microseconds, received ${JSON.stringify(value).slice(0, 40)}`,
    );
  return Math.max(1, Math.ceil((value as number) / 1000));
}
