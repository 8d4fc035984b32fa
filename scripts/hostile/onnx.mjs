/** .onnx files of a few hundred bytes that compute without end, or take all memory: opened and run on one image. */
import { writeFileSync } from 'node:fs';

const { encodeModelProto } = await import('../../dist/onnx/onnx-schema.js');

const attribute = (name, value) => {
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: 3 };
  return Array.isArray(value) ? { name, ints: value, type: 7 } : { name, i: value, type: 2 };
};
const node = (opType, input, output, attributes = {}) => ({
  opType,
  name: output[0],
  input,
  output,
  attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
});
const integers = (name, ...values) => ({
  name,
  dims: [values.length],
  dataType: 7,
  rawData: Buffer.from(BigInt64Array.from(values, BigInt).buffer),
});
const floats = (name, dims) => ({
  name,
  dims,
  dataType: 1,
  rawData: Buffer.alloc(4 * dims.reduce((a, b) => a * b, 1), Uint8Array.of(0, 0, 128, 63)),
});
const value = (name, dims) => ({
  name,
  type: {
    tensorType: {
      elemType: 1,
      shape: {
        dim: dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size })),
      },
    },
  },
});

/** A classifier of three classes: what is given takes the mean of each channel, `f`, to the scores, `s`. */
const file =
  (nodes, { constants = [], input = ['n', 3, 32, 32], classes = 3, metadata = {}, first = 'x' } = {}) =>
  (path) => {
    const mean = [node('GlobalAveragePool', [first], ['g']), node('Flatten', ['g'], ['f'])];
    const before = nodes.filter(({ output }) => output[0] === first);
    const after = nodes.filter(({ output }) => output[0] !== first);
    const model = encodeModelProto({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name: 'g',
        node: [...before, ...mean, ...after],
        initializer: constants,
        input: [value('x', input)],
        output: [value('s', ['n', classes])],
      },
      metadataProps: Object.entries(metadata).map(([key, text]) => ({ key, value: text })),
    });
    writeFileSync(`${path}.onnx`, model);
    return `${path}.onnx`;
  };

const good = [node('Identity', ['f'], ['s'])];
/** The sum of something large is added to the scores. */
const adding = (name) => [node('ReduceSum', [name], ['r'], { keepdims: 0 }), node('Add', ['f', 'r'], ['s'])];
const doubling = Array.from({ length: 34 }, (_, at) =>
  node('Concat', at === 0 ? ['f', 'f'] : [`d${at - 1}`, `d${at - 1}`], [`d${at}`], { axis: 1 }),
);
/** What our own files say of themselves, copied into another. */
const described = {
  model: JSON.stringify({
    network: 'inception-v4',
    options: { classes: 3, inputSize: 75 },
    classes: ['a', 'b', 'c'],
    preprocessing: {
      size: [75, 75],
      protocol: 'tf-slim',
      crop: 0.875,
      kernel: 'bilinear',
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    },
  }),
};

export const reader = {
  name: 'onnx',
  open: async (path) => {
    const { loadClassifier } = await import('../../dist/classifier/classifier.js');
    const { preprocessingPresets } = await import('../../dist/images/preprocess.js');
    const classifier = await loadClassifier(path, { preprocessing: preprocessingPresets.inception });
    await classifier.classify({ height: 40, width: 40, channels: 3, data: new Uint8Array(4800).fill(90) });
    await classifier.close();
  },
  rows: [
    { name: 'a classifier', make: file(good), expected: 'opens' },
    {
      name: 'a Loop without end',
      make: file([node('Loop', ['m', 't', 'f'], ['s'])], { constants: [integers('m', 2n ** 62n)] }),
      expected: /'Loop', which repeats/,
    },
    {
      name: 'ConstantOfShape of 4 GB',
      make: file([node('ConstantOfShape', ['k'], ['c']), ...adding('c')], {
        constants: [integers('k', 2 ** 30)],
      }),
      expected: /\(ConstantOfShape\) gives 1073741824 values/,
    },
    {
      name: 'ConstantOfShape of a size that the image decides',
      make: file(
        [
          node('NonZero', ['x'], ['z']),
          node('Shape', ['z'], ['h']),
          node('ReduceProd', ['h'], ['p'], { keepdims: 1 }),
          node('Mul', ['p', 'k'], ['q']),
          node('ConstantOfShape', ['q'], ['c']),
          ...adding('c'),
        ],
        { constants: [integers('k', 100_000)] },
      ),
      expected: /more than \d+ MiB of memory/,
    },
    {
      name: 'Einsum of 40 GB',
      make: file([
        node('Einsum', ['x', 'x', 'x'], ['e'], { equation: 'nchw,ndij,nekl->hwijkl' }),
        ...adding('e'),
      ]),
      expected: /\(Einsum\) gives 32×32×32×32×32×32 values/,
    },
    {
      name: 'ConvTranspose of 1 GB',
      make: file([node('ConvTranspose', ['x', 'w'], ['t'], { strides: [300, 300] })], {
        constants: [floats('w', [3, 3, 1, 1])],
        first: 't',
      }),
      expected: /\(ConvTranspose\) gives 1×3×9301×9301 values/,
    },
    {
      name: 'Concat that doubles',
      make: file([...doubling, ...adding('d33')]),
      expected: /\(Concat\) gives/,
    },
    {
      name: 'Concat that doubles, as a file of our own',
      make: file([...doubling, node('Add', ['f', 'd33'], ['s'])], {
        metadata: described,
        input: ['n', 3, 75, 75],
      }),
      expected: /\(Concat\) gives/,
    },
    {
      name: 'a hundred million classes',
      make: file([node('ReduceMean', ['f'], ['m'], { axes: [1] }), node('Expand', ['m', 'k'], ['s'])], {
        constants: [integers('k', 1, 100_000_000)],
        classes: 100_000_000,
      }),
      expected: /at most 1048576 classes/,
    },
    {
      name: 'images of 100,000²',
      make: file(good, { input: ['n', 3, 100_000, 100_000] }),
      expected: /expected/,
    },
    { name: 'batches of 100,000', make: file(good, { input: [100_000, 3, 32, 32] }), expected: /batches/ },
    {
      name: 'a padding of 20,000',
      make: file([node('Conv', ['x', 'w'], ['t'], { pads: [20_000, 20_000, 20_000, 20_000] })], {
        constants: [floats('w', [3, 3, 1, 1])],
        first: 't',
      }),
      expected: /\(Conv\) gives/,
    },
    {
      name: 'a Reshape that does not fit',
      make: file([node('Reshape', ['f', 'k'], ['s'])], { constants: [integers('k', -1, 7)] }),
      expected: /received|ONNX Runtime/,
    },
    {
      name: 'scores that are no numbers',
      make: file([node('Sub', ['f', 'f'], ['z']), node('Div', ['z', 'z'], ['s'])]),
      expected: /not numbers, the first is NaN/,
    },
    {
      name: 'a Git LFS pointer',
      make: (path) => {
        const text = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4'.repeat(64)}\nsize 95533400\n`;
        writeFileSync(`${path}.onnx`, text);
        return `${path}.onnx`;
      },
      expected: /Git LFS pointer/,
    },
  ],
};
