/** Files as other tools write them, by hand: the mean of each channel is the score of a class, whatever the types and layouts. */
import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { inputBytes, preprocessingPresets, standardPreprocessing } from '../../images/preprocess.ts';
import { DeployError } from '../deploy-error.ts';
import { elementTypes, type OnnxGraph, type OnnxNode, type OnnxValue } from '../onnx-graph.ts';
import { encodeModel } from '../write/encode-model.ts';
import { onnxGraphOf } from '../write/onnx-graph-of.ts';
import { inputOf } from './file-input.ts';
import { outputOf } from './file-output.ts';
import { openOnnxPredictor } from './onnx-predictor.ts';
import { softmaxOutputs } from './softmax-outputs.ts';

const path = 'm.onnx';
const preprocessing = { ...preprocessingPresets.inception, size: [2, 3] as [number, number] };
const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ op, name: outputs[0] as string, inputs, outputs, attributes });

interface Kind {
  readonly input: OnnxValue;
  /** From the input to [n, 3, h, w]. */
  readonly before?: readonly OnnxNode[];
  /** From the mean, [n, 3, 1, 1], to the outputs. */
  readonly after?: readonly OnnxNode[];
  readonly outputs: OnnxGraph['outputs'];
  readonly constants?: OnnxGraph['constants'];
}

const planes = { name: 'planes', type: 'float32', dims: ['n', 3, 2, 3] } as const;
const scores = { name: 'scores', type: 'float32', dims: ['n', 3] } as const;
const flatten = node('Flatten', ['mean'], ['scores'], { axis: 1 });

const file = ({ input, before = [], after = [flatten], outputs, constants = new Map() }: Kind) =>
  encodeModel({
    graph: {
      name: 'g',
      nodes: [...before, node('GlobalAveragePool', ['planes'], ['mean']), ...after],
      constants,
      input,
      outputs,
    },
    metadata: {},
    producerVersion: '0',
  });

/** Red 255, green 51, blue 0 in each pixel: 1, −0.6, −1 once scaled. */
const image = Uint8Array.from({ length: 18 }, (_, index) => [255, 51, 0][index % 3] as number);

const open = (kind: Kind, softmax = false) =>
  openOnnxPredictor(file(kind), { path, preprocessing, softmax, threads: 1 });

const transpose = node('Transpose', ['pixels'], ['planes'], { perm: [0, 3, 1, 2] });
const pixels = { name: 'pixels', type: 'float32', dims: ['n', 2, 3, 3] } as const;
const cast = (from: string, to: string, type: keyof typeof elementTypes) =>
  node('Cast', [from], [to], { to: elementTypes[type] });

describe('a file of other tools', () => {
  it.each<[what: string, kind: Kind]>([
    ['float32 [n, c, h, w]', { input: planes, outputs: [scores] }],
    ['float32 [n, h, w, c], as TensorFlow has it', { input: pixels, before: [transpose], outputs: [scores] }],
    [
      'float16 in and out',
      {
        input: { ...planes, type: 'float16' },
        outputs: [{ ...scores, type: 'float16' }],
      },
    ],
    [
      'float16 [n, h, w, c]',
      {
        input: { ...pixels, type: 'float16' },
        before: [transpose],
        outputs: [{ ...scores, type: 'float16' }],
      },
    ],
    [
      'scores [n, classes, 1, 1]',
      { input: planes, after: [], outputs: [{ name: 'mean', type: 'float32', dims: ['n', 3, 1, 1] }] },
    ],
    [
      'an int64 label before the scores',
      {
        input: planes,
        after: [flatten, node('ArgMax', ['scores'], ['label'], { axis: 1, keepdims: 0 })],
        outputs: [{ name: 'label', type: 'int64', dims: ['n'] }, scores],
      },
    ],
  ])('gives the same scores: %s', async (_, kind) => {
    const predictor = await open(kind);
    const values = await predictor.outputs(new Uint8Array([...image, ...new Uint8Array(18)]));
    expect(values).toHaveLength(6);
    for (const [index, value] of [1, -0.6, -1, -1, -1, -1].entries())
      expect(values[index]).toBeCloseTo(value, 2);
  });

  it('with a fixed batch is filled up with an image that has an answer', async () => {
    // The mean divided by itself: a number for every image but one whose mean is 0.
    const predictor = await open({
      input: { name: 'bytes', type: 'uint8', dims: [2, 3, 2, 3] },
      before: [cast('bytes', 'planes', 'float32')],
      after: [node('Div', ['mean', 'mean'], ['ratio']), node('Flatten', ['ratio'], ['scores'], { axis: 1 })],
      outputs: [{ ...scores, dims: [2, 3] }],
    });
    expect(await predictor.outputs(new Uint8Array(18).fill(9))).toEqual(Float32Array.of(1, 1, 1));
    await expect(predictor.outputs(new Uint8Array(18))).rejects.toThrow(/are not numbers, the first is NaN/);
  });

  it('is told bytes in planes, which it scales itself', async () => {
    const predictor = await open({
      input: { name: 'bytes', type: 'uint8', dims: ['n', 3, 2, 3] },
      before: [cast('bytes', 'planes', 'float32')],
      outputs: [scores],
    });
    expect(await predictor.outputs(image)).toEqual(Float32Array.of(255, 51, 0));
  });

  it('gives the probabilities of its own softmax, and says that it does', async () => {
    const nodes = [
      node('GlobalAveragePool', ['planes'], ['mean']),
      node('Flatten', ['mean'], ['flat'], { axis: 1 }),
      node('Softmax', ['flat'], ['soft'], { axis: 1 }),
      node('Identity', ['soft'], ['scores']),
    ];
    const graph = { name: 'g', nodes, constants: new Map(), input: planes, outputs: [scores] };
    const notices: string[] = [];
    const predictor = await openOnnxPredictor(encodeModel({ graph, metadata: {}, producerVersion: '0' }), {
      path,
      preprocessing,
      softmaxOutputs: softmaxOutputs(graph),
      onNotice: (line) => notices.push(line),
    });
    const values = await predictor.predict(image);
    expect(values).toEqual(await predictor.outputs(image));
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(notices).toEqual([
      "m.onnx: its output 'scores' comes from a softmax and is taken for probabilities",
    ]);
    expect([
      ...softmaxOutputs({ nodes: [node('Softmax', ['q'], ['a']), node('MatMul', ['a', 'v'], ['y'])] }),
    ]).toEqual(['a']);
  });

  it('is an error where its outputs are not numbers', async () => {
    const kind: Kind = {
      input: planes,
      after: [node('Flatten', ['mean'], ['flat'], { axis: 1 }), node('Log', ['flat'], ['scores'])],
      outputs: [scores],
    };
    const predictor = await open(kind);
    for (const call of [predictor.outputs, predictor.predict]) {
      await expect(call(image)).rejects.toThrow(DeployError);
      await expect(call(image)).rejects.toThrow(
        'm.onnx: 2 of the 3 logits of image 1 of 1 are not numbers, the first is NaN',
      );
    }
  });

  it("says what ONNX Runtime says, where it can't compute", async () => {
    const predictor = await open({
      input: planes,
      after: [node('Reshape', ['mean', 'shape'], ['scores'])],
      outputs: [{ ...scores, dims: ['n', 5] }],
      constants: new Map([['shape', { type: 'int64', dims: [2], data: BigInt64Array.of(-1n, 5n) }]]),
    });
    await expect(predictor.outputs(image)).rejects.toThrow(DeployError);
    await expect(predictor.outputs(image)).rejects.toThrow(/^m\.onnx: ONNX Runtime cannot run it: .*Reshape/);
  });
});

type Metadata = Parameters<typeof inputOf>[0]['inputMetadata'];
const tensor = (type: string, shape: readonly (number | string)[], name = 'x') =>
  ({ name, isTensor: true, type, shape }) as unknown as Metadata[number];
const inputFor = (shape: readonly (number | string)[], type = 'float32', size?: [number, number]) =>
  inputOf(
    { inputMetadata: [tensor(type, shape)] },
    { path, preprocessing: { ...preprocessingPresets.imagenet, ...(size && { size }) } },
  );

describe('the layout of an input', () => {
  it.each([
    [['n', 3, 224, 200], 'float32', 'nchw', [224, 200], 3],
    [['n', 224, 200, 3], 'float32', 'nhwc', [224, 200], 3],
    [['n', 224, 200, 3], 'uint8', 'nhwc', [224, 200], 3],
    [['n', 3, 224, 200], 'uint8', 'nchw', [224, 200], 3],
    [[1, 1, 28, 28], 'float16', 'nchw', [28, 28], 1],
    [[-1, 28, 28, 1], 'float32', 'nhwc', [28, 28], 1],
  ] as const)('is read off its shape: %j %s', (shape, type, layout, size, channels) => {
    const { preprocessing: found, ...input } = inputFor(shape, type);
    expect(input).toMatchObject({ layout, fixedBatch: shape[0] === 1 ? 1 : undefined });
    expect([found.size, found.channels ?? 3]).toEqual([size, channels]);
  });

  it('is the usual one of its type where every side is open', () => {
    expect(inputFor(['n', 'a', 'b', 'c'], 'float32', [75, 75]).layout).toBe('nchw');
    expect(inputFor(['n', 'a', 'b', 'c'], 'uint8', [75, 75]).layout).toBe('nhwc');
  });

  it.each([
    [[1, 3, 100_000, 100_000], /expected images of at most 134217728 values, received x: float32 \[1, 3, 1/],
    [[100_000, 3, 224, 224], /expected batches of at most 1024 images and 536870912 values/],
    [['n', 3, 0, 224], /expected images of at most/],
    [['n', 6, 224, 224], /expected one input of images, float32, float16 or uint8, \[n, 3, height, width\]/],
    [['n', 3, 224], /received x: float32 \[n, 3, 224\]/],
  ] as const)('is refused before anything is allocated: %j', (shape, says) => {
    expect(() => inputFor(shape)).toThrow(DeployError);
    expect(() => inputFor(shape)).toThrow(says);
  });
});

describe('the scores of a file', () => {
  const of = (...outputs: Metadata[number][]) => outputOf({ outputMetadata: outputs }, { path });

  it('are its first floats by image; others of the kind are named', () => {
    const label = tensor('int64', ['n'], 'label');
    const found = of(label, tensor('float32', ['n', 5], 'scores'), tensor('float32', ['n', 7], 'auxiliary'));
    expect(found).toEqual({ name: 'scores', classes: 5, unused: ['auxiliary'] });
    expect(of(tensor('float16', ['n', 1, 1, 9])).classes).toBe(9);
  });

  it.each([
    [[tensor('int64', ['n'])], /expected an output float32 or float16 \[n, classes\], received int64 \[n\]/],
    [[tensor('float32', ['n', 8, 8, 5])], /received float32 \[n, 8, 8, 5\]/],
    [[tensor('float32', ['n', 'classes'])], /received float32 \[n, classes\]/],
    [[tensor('float32', ['n', 100_000_000])], /expected at most 1048576 classes, received 100000000/],
    [[], /received none/],
  ])('are refused where there are none or too many: %#', (outputs, says) => {
    expect(() => of(...outputs)).toThrow(DeployError);
    expect(() => of(...outputs)).toThrow(says);
  });
});

describe('a model of six channels', () => {
  it('leaves as ONNX and comes back, its three values of scaling repeated', async () => {
    const six = standardPreprocessing([75, 75], { channels: 6, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] });
    const model = sampleModel('inception-v3', { inputChannels: 6 }, { preprocessing: six });
    const bytes = Uint8Array.from({ length: inputBytes(six) }, (_, at) => (at * 31) % 251);
    const results: Float32Array[] = [];
    for (const input of ['float32', 'uint8'] as const) {
      const graph = await onnxGraphOf(model, { input });
      const file = encodeModel({ graph, metadata: {}, producerVersion: '0' });
      const predictor = await openOnnxPredictor(file, {
        path,
        preprocessing: six,
        softmax: false,
        threads: 1,
      });
      results.push(await predictor.outputs(bytes));
    }
    // One scales the images here, the other in the file.
    for (const [index, value] of (results[0] as Float32Array).entries())
      expect(results[1]?.[index]).toBeCloseTo(value, 3);
  });
});
