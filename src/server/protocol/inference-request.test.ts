import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { colourModel } from '../../../test/server-models.ts';
import { RequestError } from '../http/request-error.ts';
import type { ServedModel } from '../models/served-model.ts';
import { readInferenceRequest } from './inference-request.ts';
import { writeInferenceResponse } from './inference-response.ts';

const bytesModel = colourModel();
const floatModel: Pick<ServedModel, 'name' | 'input' | 'output'> = {
  name: 'floats',
  input: { name: 'x', datatype: 'FP32', shape: [2] },
  output: { name: 'y', datatype: 'FP32', shape: [3] },
};

const read = (
  request: unknown,
  {
    model = floatModel,
    binary = Buffer.alloc(0),
    header,
  }: {
    model?: Pick<ServedModel, 'name' | 'input' | 'output'>;
    binary?: Buffer;
    header?: string;
  } = {},
) => {
  const json = Buffer.from(typeof request === 'string' ? request : JSON.stringify(request));
  return readInferenceRequest(Buffer.concat([json, binary]), {
    headerLength: header ?? (binary.length > 0 ? String(json.length) : undefined),
    model,
    limits: { images: 4 },
  });
};

const x = (more: object = {}) => ({
  name: 'x',
  shape: [2, 2],
  datatype: 'FP32',
  data: [1, 2, 3, 4],
  ...more,
});
const { data: _, ...withoutData } = x();

describe('a request of the Open Inference Protocol', () => {
  it('accepts flat or nested values', () => {
    for (const data of [
      [1, 2, 3, 4.5],
      [
        [1, 2],
        [3, 4.5],
      ],
    ]) {
      const { values, rows, id, outputs } = read({ id: 'a', inputs: [x({ data })] });
      expect({ values, rows, id, outputs }).toEqual({
        values: Float32Array.of(1, 2, 3, 4.5),
        rows: 2,
        id: 'a',
        outputs: [{ name: 'y', binary: false }],
      });
    }
  });

  it('accepts binary data after the JSON, at any alignment', () => {
    const binary = Buffer.from(Float32Array.of(1, -2, 3.5, 4).buffer);
    for (const padding of ['', ' ', '  ', '   ']) {
      const inputs = [{ ...withoutData, parameters: { binary_data_size: 16 } }];
      const { values } = read(`${JSON.stringify({ inputs })}${padding}`, { binary });
      expect(values).toEqual(Float32Array.of(1, -2, 3.5, 4));
    }
  });

  it('accepts bytes as binary data', () => {
    const binary = Buffer.from(Array.from({ length: 48 }, (_, index) => index));
    const input = {
      name: 'images',
      shape: [1, 4, 4, 3],
      datatype: 'UINT8',
      parameters: { binary_data_size: 48 },
    };
    expect([...read({ inputs: [input] }, { binary, model: bytesModel }).values]).toEqual([...binary]);
  });

  it('selects outputs, number of classes, binary format and timeout', () => {
    const y = (parameters: object) => ({ inputs: [x()], outputs: [{ name: 'y', parameters }] });
    expect(read(y({ classification: 2, binary_data: true })).outputs).toEqual([
      { name: 'y', binary: true, classification: 2 },
    ]);
    const all = { inputs: [x()], parameters: { binary_data_output: true, timeout: 1500 } };
    expect(read(all)).toMatchObject({ outputs: [{ binary: true }], timeoutMs: 2 });
    expect(read({ ...all, outputs: [{ name: 'y', parameters: { binary_data: false } }] }).outputs).toEqual([
      { name: 'y', binary: false },
    ]);
  });

  it.each<[what: string, request: unknown, message: string]>([
    ['invalid JSON', '{"inputs": [', 'body: expected JSON ('],
    ['an array', '[]', 'body: expected a JSON object, received an array'],
    ['no inputs', {}, 'inputs: '],
    [
      'an unknown input',
      { inputs: [x({ name: 'z' })] },
      "inputs: 'floats' has no input 'z'; its only input is 'x'",
    ],
    ['an input twice', { inputs: [x(), x()] }, "inputs: 'x' appears 2 times"],
    ['a wrong datatype', { inputs: [x({ datatype: 'INT64' })] }, 'x: expected datatype FP32, received INT64'],
    ['an unknown datatype', { inputs: [x({ datatype: 'FLOAT' })] }, 'inputs.0.datatype: '],
    ['a wrong shape', { inputs: [x({ shape: [4] })] }, 'x: expected shape [n, 2], received [4]'],
    ['no rows', { inputs: [x({ shape: [0, 2], data: [] })] }, 'x: expected shape [n, 2], received [0, 2]'],
    ['a negative shape', { inputs: [x({ shape: [-1, 2] })] }, 'inputs.0.shape.0: '],
    [
      'a huge shape',
      { inputs: [x({ shape: [9e15, 2] })] },
      'x: at most 4 images per request, received 9000000000000000',
    ],
    ['too many values', { inputs: [x({ data: [1, 2, 3, 4, 5] })] }, 'x.data: expected 4 values, received 5'],
    [
      'a string',
      { inputs: [x({ data: [1, 2, 3, 'a'] })] },
      'x.data: expected numbers, received "a" at index 3',
    ],
    ['no data', { inputs: [withoutData] }, "x: expected 'data', or 'binary_data_size' in its parameters"],
    [
      'both JSON and binary data',
      { inputs: [x({ parameters: { binary_data_size: 16 } })] },
      "x: expected 'data' or 'binary_data_size', received both",
    ],
    [
      'too few bytes',
      { inputs: [{ ...withoutData, parameters: { binary_data_size: 12 } }] },
      'x: expected 16 bytes of binary data, received binary_data_size 12 and 0 bytes',
    ],
    [
      'shared memory',
      { inputs: [{ ...withoutData, parameters: { shared_memory_region: 'a' } }] },
      'x: shared memory is not supported; send the values as JSON or binary data',
    ],
    [
      'a sequence',
      { parameters: { sequence_id: 1 }, inputs: [x()] },
      'parameters.sequence_id: sequences are not supported',
    ],
    [
      'an unknown output',
      { inputs: [x()], outputs: [{ name: 'z' }] },
      "outputs.0: 'floats' has no output 'z'; its only output is 'y'",
    ],
    [
      'an output twice',
      { inputs: [x()], outputs: [{ name: 'y' }, { name: 'y' }] },
      "outputs: 'y' is requested twice",
    ],
    [
      'no classes',
      { inputs: [x()], outputs: [{ name: 'y', parameters: { classification: 0 } }] },
      'outputs.0.parameters.classification: expected an integer of at least 1, received 0',
    ],
    [
      'a string for a flag',
      { inputs: [x()], parameters: { binary_data_output: 'yes' } },
      'parameters.binary_data_output: expected true or false, received "yes"',
    ],
    [
      'a negative timeout',
      { inputs: [x()], parameters: { timeout: -1 } },
      'parameters.timeout: expected an integer number of microseconds, received -1',
    ],
    [
      'deep JSON',
      `{"inputs": ${'['.repeat(20)}${']'.repeat(20)}}`,
      'body: JSON may be nested at most 16 deep',
    ],
  ])('is refused with %s', (_what, request, message) => {
    expect(() => read(request)).toThrow(RequestError);
    expect(() => read(request)).toThrow(message);
  });

  it('is refused when its header exceeds the body, or bytes are left over', () => {
    const request = { inputs: [x()] };
    expect(() => read(request, { header: '1000' })).toThrow(
      "Inference-Header-Content-Length: expected at most the body's",
    );
    expect(() => read(request, { header: '-1' })).toThrow("bytes, received '-1'");
    expect(() => read(request, { binary: Buffer.alloc(3) })).toThrow(
      'x: 3 bytes follow the JSON, but no input claims them',
    );
  });

  it('accepts only integers of 0 to 255 for bytes', () => {
    const images = (value: number) => ({
      inputs: [{ name: 'images', shape: [1, 4, 4, 3], datatype: 'UINT8', data: Array(48).fill(value) }],
    });
    expect(read(images(255), { model: bytesModel }).values[47]).toBe(255);
    for (const value of [256, -1, 0.5])
      expect(() => read(images(value), { model: bytesModel })).toThrow(
        `images.data: expected integers from 0 to 255, received ${value} at index 0`,
      );
  });

  it('is accepted or refused with a RequestError, whatever the JSON', () => {
    const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom('x', 'y', 'FP32', 'BYTES', 2, [2, 2], 1e300, -0));
    const tensor = fc.record(
      {
        name: fc.oneof(fc.constant('x'), leaf),
        shape: fc.oneof(fc.constant([2, 2]), leaf),
        datatype: fc.oneof(fc.constant('FP32'), leaf),
        data: fc.oneof(fc.constant([1, 2, 3, 4]), leaf),
        parameters: fc.oneof(
          fc.constant({}),
          fc.dictionary(fc.constantFrom('binary_data_size', '__proto__'), leaf),
          leaf,
        ),
      },
      { requiredKeys: [] },
    );
    const request = fc.record(
      { inputs: fc.oneof(fc.array(tensor), leaf), outputs: leaf, parameters: leaf, id: leaf },
      { requiredKeys: ['inputs'] },
    );
    fc.assert(
      fc.property(request, fc.uint8Array(), (value, binary) => {
        try {
          read(value, { binary: Buffer.from(binary) });
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a response of the Open Inference Protocol', () => {
  const values = Float32Array.of(0.1, 0.7, 0.2, 0.5, 0.25, 0.25);
  const respond = (requested: object, id?: string) =>
    writeInferenceResponse(values, {
      model: bytesModel,
      rows: 2,
      id,
      outputs: [{ name: 'probabilities', binary: false, ...requested }],
    });

  it('returns values as JSON', () => {
    const { body, headerLength } = respond({}, 'seven');
    expect(headerLength).toBeUndefined();
    expect(JSON.parse(body.toString())).toEqual({
      model_name: 'colours',
      model_version: '1',
      id: 'seven',
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [2, 3], data: [...values] }],
    });
  });

  it('returns values as bytes after the JSON', () => {
    const { body, headerLength } = respond({ binary: true });
    expect(JSON.parse(body.subarray(0, headerLength).toString()).outputs).toEqual([
      { name: 'probabilities', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
    ]);
    expect(new Float32Array(new Uint8Array(body.subarray(headerLength)).buffer)).toEqual(values);
  });

  it('returns the most probable classes in the format of the extension', () => {
    const { body } = respond({ classification: 2 });
    expect(JSON.parse(body.toString()).outputs).toEqual([
      {
        name: 'probabilities',
        datatype: 'BYTES',
        shape: [2, 2],
        data: ['0.700000:1:green', '0.200000:2:blue', '0.500000:0:red', '0.250000:1:green'],
      },
    ]);
  });

  it('returns strings as length-prefixed bytes, and no more classes than there are', () => {
    const { body, headerLength } = respond({ classification: 9, binary: true });
    const [output] = JSON.parse(body.subarray(0, headerLength).toString()).outputs;
    expect(output).toMatchObject({ datatype: 'BYTES', shape: [2, 3] });
    const binary = body.subarray(headerLength);
    expect(binary.length).toBe(output.parameters.binary_data_size);
    expect(binary.readUInt32LE(0)).toBe(16);
    expect(binary.subarray(4, 20).toString()).toBe('0.700000:1:green');
  });
});
