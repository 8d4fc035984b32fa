import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { float16Bits } from '../float16-bits.ts';
import { toFloat16 } from './float16.ts';
import { onnxGraphOf } from './onnx-graph-of.ts';

describe('float16Bits', () => {
  // Python's struct.pack('e', …) gave these; it refuses what rounds to infinity.
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [1 / 3, 0x3555],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [6.1035e-5, 0x0400],
    [6e-5, 0x03ef],
    [5.96e-8, 0x0001],
    [2.98e-8, 0x0000],
    [2.99e-8, 0x0001],
    [1e-10, 0x0000],
    [1.00048828125, 0x3c00],
    [1.0014648, 0x3c02],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NaN, 0x7e00],
  ])('of %f is %i', (value, expected) => {
    expect(float16Bits(value)).toBe(expected);
  });
});

describe('toFloat16', () => {
  it('leaves input, preprocessing and output in float32 and everything between in float16', async () => {
    const graph = toFloat16(
      await onnxGraphOf(sampleModel('inception-v4'), { input: 'uint8', softmax: true }),
    );
    expect([graph.input.type, graph.outputs[0]?.type]).toEqual(['uint8', 'float32']);
    const float32 = [...graph.constants].filter(([, { type }]) => type === 'float32').map(([name]) => name);
    expect(float32).toEqual(['preprocessing/factor', 'preprocessing/addend']);
    expect(graph.nodes.filter(({ op }) => op === 'Cast').map(({ outputs }) => outputs[0])).toEqual([
      'preprocessing/floats',
      'input/float16',
      'probabilities',
    ]);
  });
});
