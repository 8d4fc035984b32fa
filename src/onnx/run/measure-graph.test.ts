import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { networks } from '../../networks/networks.ts';
import { DeployError } from '../deploy-error.ts';
import type { OnnxNode, OnnxTensor } from '../onnx-graph.ts';
import { inferShapes } from '../shapes/infer-shapes.ts';
import { encodeModel } from '../write/encode-model.ts';
import { onnxGraphOf } from '../write/onnx-graph-of.ts';
import { measureGraph } from './measure-graph.ts';
import { readGraph } from './read-graph.ts';

const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ op, name: output, inputs, outputs: [output], attributes });
const integers = (...values: number[]): OnnxTensor => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const floats = (...dims: number[]): OnnxTensor => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((product, size) => product * size, 1)),
});

/** A file of these nodes and constants for images [n, 3, 32, 32], as another tool would write it. */
const file = (nodes: readonly OnnxNode[], constants: Record<string, OnnxTensor> = {}): Uint8Array =>
  encodeModel({
    graph: {
      name: 'g',
      nodes,
      constants: new Map(Object.entries(constants)),
      input: { name: 'x', type: 'float32', dims: ['n', 3, 32, 32] },
      outputs: [],
    },
    metadata: {},
    producerVersion: '0',
  });

const measure = (bytes: Uint8Array) =>
  measureGraph(readGraph(bytes, 'm.onnx'), { path: 'm.onnx', size: [32, 32] });
/** The shape that the last node's value has for one image. */
const shapeOf = (nodes: readonly OnnxNode[], constants: Record<string, OnnxTensor> = {}) => {
  const graph = readGraph(file(nodes, constants), 'm.onnx');
  const inputs = [{ name: 'x', dims: [1, 3, 32, 32] }];
  return inferShapes({ ...graph, inputs }).get(nodes.at(-1)?.outputs[0] as string)?.dims;
};

describe('a graph is measured', () => {
  it.each(networks.map(({ name }) => name))('whole, for what is written here: %s', async (network) => {
    const graph = await onnxGraphOf(sampleModel(network), { input: 'uint8', softmax: true });
    const { work } = measure(encodeModel({ graph, metadata: {}, producerVersion: '0' }));
    expect(work).toBeGreaterThan(1e6);
    expect(work).toBeLessThan(1e9);
  });

  // The shapes are those that onnx.shape_inference.infer_shapes (onnx 1.23) gives with data propagation.
  it.each<[what: string, nodes: OnnxNode[], constants: Record<string, OnnxTensor>, dims: number[]]>([
    [
      'Conv',
      [node('Conv', ['x', 'w'], 'y', { strides: [2, 2], pads: [1, 1, 1, 1] })],
      { w: floats(8, 3, 3, 3) },
      [1, 8, 16, 16],
    ],
    [
      'dilated Conv',
      [node('Conv', ['x', 'w'], 'y', { dilations: [2, 2] })],
      { w: floats(8, 3, 3, 3) },
      [1, 8, 28, 28],
    ],
    [
      'Conv with SAME_UPPER',
      [node('Conv', ['x', 'w'], 'y', { auto_pad: 'SAME_UPPER', strides: [3, 3] })],
      { w: floats(8, 3, 3, 3) },
      [1, 8, 11, 11],
    ],
    [
      'MaxPool rounded up',
      [node('MaxPool', ['x'], 'y', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })],
      {},
      [1, 3, 16, 16],
    ],
    [
      'ConvTranspose',
      [
        node('ConvTranspose', ['x', 'w'], 'y', {
          strides: [2, 2],
          pads: [1, 1, 1, 1],
          output_padding: [1, 1],
        }),
      ],
      { w: floats(3, 4, 3, 3) },
      [1, 4, 64, 64],
    ],
    [
      'Resize by factors',
      [node('Resize', ['x', '', 's'], 'y')],
      { s: { type: 'float32', dims: [4], data: Float32Array.of(1, 1, 2, 2.5) } },
      [1, 3, 64, 80],
    ],
    ['Pad', [node('Pad', ['x', 'p'], 'y')], { p: integers(0, 0, 1, 2, 0, 0, 3, 4) }, [1, 3, 36, 38]],
    [
      'Slice',
      [node('Slice', ['x', 'a', 'b', 'c', 'd'], 'y')],
      { a: integers(1, -1), b: integers(9, -99), c: integers(2, 3), d: integers(2, -3) },
      [1, 3, 4, 11],
    ],
    ['ReduceMean', [node('ReduceMean', ['x'], 'y', { axes: [2, -1], keepdims: 0 })], {}, [1, 3]],
    [
      'Transpose and MatMul',
      [node('Transpose', ['x'], 't', { perm: [0, 1, 3, 2] }), node('MatMul', ['t', 'w'], 'y')],
      { w: floats(32, 5) },
      [1, 3, 32, 5],
    ],
    [
      'Einsum',
      [node('Einsum', ['x', 'w'], 'y', { equation: 'nchw,cd->ndh' })],
      { w: floats(3, 7) },
      [1, 7, 32],
    ],
    [
      'Reshape by the shape of another value',
      [
        node('Shape', ['x'], 's'),
        node('Gather', ['s', 'i'], 'g'),
        node('Concat', ['g', 'm'], 'c', { axis: 0 }),
        node('Reshape', ['x', 'c'], 'y'),
      ],
      { i: integers(0), m: integers(-1) },
      [1, 3072],
    ],
    ['Expand', [node('Expand', ['w', 's'], 'y')], { w: floats(1, 5), s: integers(4, 1) }, [4, 5]],
  ])('as ONNX itself infers: %s', (_, nodes, constants, dims) => {
    expect(shapeOf(nodes, constants)).toEqual(dims);
  });

  it.each<[what: string, says: string, nodes: OnnxNode[], constants?: Record<string, OnnxTensor>]>([
    [
      'ConstantOfShape',
      "y' (ConstantOfShape) gives 1073741824 values",
      [node('ConstantOfShape', ['s'], 'y')],
      { s: integers(2 ** 30) },
    ],
    [
      'a size that is computed',
      "y' (ConstantOfShape) gives 3072000000 values",
      [
        node('Shape', ['x'], 's'),
        node('ReduceProd', ['s'], 'p', { keepdims: 1 }),
        node('Mul', ['p', 'k'], 'q'),
        node('ConstantOfShape', ['q'], 'y'),
      ],
      { k: integers(1_000_000) },
    ],
    [
      'Einsum',
      "y' (Einsum) gives 32×32×32×32×32×32",
      [node('Einsum', ['x', 'x', 'x'], 'y', { equation: 'nchw,ndij,nekl->hwijkl' })],
    ],
    [
      'ConvTranspose',
      "y' (ConvTranspose) gives 1×3×9301×9301 values",
      [node('ConvTranspose', ['x', 'w'], 'y', { strides: [300, 300] })],
      { w: floats(3, 3, 1, 1) },
    ],
    [
      'padding',
      "y' (Conv) gives 1×3×40032×40032",
      [node('Conv', ['x', 'w'], 'y', { pads: [20000, 20000, 20000, 20000] })],
      { w: floats(3, 3, 1, 1) },
    ],
    [
      'doubling',
      "d15' (Concat) gives 1×196608×32×32",
      Array.from({ length: 30 }, (_, index) =>
        node('Concat', index === 0 ? ['x', 'x'] : [`d${index - 1}`, `d${index - 1}`], `d${index}`, {
          axis: 1,
        }),
      ),
    ],
    [
      'broadcasting',
      "y' (Tile) gives 1×3072×32×32×3072",
      [
        node('Reshape', ['x', 'a'], 'p'),
        node('Reshape', ['x', 'b'], 'q'),
        node('Add', ['p', 'q'], 'r'),
        node('Unsqueeze', ['r'], 'u', { axes: [2, 3] }),
        node('Tile', ['u', 't'], 'y'),
      ],
      { a: integers(1, 3072, 1), b: integers(1, 1, 3072), t: integers(1, 1, 32, 32, 1) },
    ],
  ])('and refused before it is loaded: %s', (_, says, nodes, constants) => {
    expect(() => measure(file(nodes, constants))).toThrow(DeployError);
    expect(() => measure(file(nodes, constants))).toThrow(`m.onnx: its node '${says}`);
  });

  it('not at all where a size depends on the pixels: the process that runs it is bounded', () => {
    expect(measure(file([node('NonZero', ['x'], 'y')])).work).toBeUndefined();
  });

  it('in any bytes without another error than its own', () => {
    const valid = file([node('Conv', ['x', 'w'], 'y'), node('Reshape', ['y', 's'], 'z')], {
      w: floats(2, 3, 3, 3),
      s: integers(1, -1),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = Uint8Array.from(valid);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            measure(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DeployError);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
