/** Headers of .safetensors files, and the descriptions of networks in their metadata. */
import { writeFileSync } from 'node:fs';

/** A file of a header, as text or as an object, and of so many zero bytes of data. */
const file =
  (header, dataBytes = 0, length = undefined) =>
  (path) => {
    const text = typeof header === 'string' ? header : JSON.stringify(header);
    const json = Buffer.from(text, typeof header === 'string' ? 'latin1' : 'utf8');
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(length ?? BigInt(json.length));
    writeFileSync(`${path}.safetensors`, Buffer.concat([size, json, Buffer.alloc(dataBytes)]));
    return `${path}.safetensors`;
  };

const tensor = (shape, bytes, begin = 0) => ({ dtype: 'F32', shape, data_offsets: [begin, begin + bytes] });

const preprocessing = {
  size: [75, 75],
  protocol: 'tf-slim',
  crop: 0.875,
  kernel: 'bilinear',
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};
const model = (changes) =>
  file(
    {
      __metadata__: {
        model: JSON.stringify({
          network: 'inception-resnet-v2',
          options: { inputSize: 75, classes: 2 },
          classes: ['a', 'b'],
          preprocessing,
          ...changes,
        }),
      },
      t: tensor([1], 4),
    },
    4,
  );
const withOptions = (options) => model({ options: { inputSize: 75, classes: 2, ...options } });
const withPreprocessing = (changes) => model({ preprocessing: { ...preprocessing, ...changes } });

const manyTensors = (count, nameOf = (index) => `t${index}`) => {
  const entries = Array.from(
    { length: count },
    (_, index) => `"${nameOf(index)}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`,
  );
  return file(`{${entries.join(',')}}`);
};

/** Custom figures: a layer repeated so often, inside one repeated so often. */
const figure = (count, inner) => {
  const conv = { kind: 'conv', window: '1x1', filters: 8 };
  const repeat = (times, block) => ({ kind: 'repeat', count: times, block });
  return {
    name: 'mine',
    about: '',
    input: [75, 75, 3],
    classes: 2,
    layers: {
      a: repeat(count, { kind: 'sequence', layers: [repeat(inner, conv)] }),
      logits: { kind: 'fullyConnected' },
    },
  };
};

export const reader = {
  name: 'safetensors',
  open: async (path) => {
    const { openModel } = await import('../../dist/predict/open-model.js');
    const opened = await openModel(path);
    await opened.close();
  },
  rows: [
    { name: 'empty', make: (path) => writeFileSync(path, ''), expected: /not a supported|at least 8 bytes/ },
    {
      name: 'header of 2^63 bytes',
      make: file('{}', 0, 2n ** 63n),
      expected: /would have 9223372036854775808 bytes/,
    },
    { name: 'header longer than the file', make: file('{}', 0, 1000n), expected: /the whole file has/ },
    { name: 'not UTF-8', make: file('{"\xff":1}'), expected: /not UTF-8/ },
    { name: 'a leading space', make: file(' {}'), expected: /must begin with/ },
    { name: 'nested a million deep', make: file(`{"a":${'['.repeat(1e6)}`), expected: /not valid|expected/ },
    { name: 'a name of 20 MB', make: file({ [`n${'a'.repeat(2e7)}`]: tensor([1], 4) }, 4), expected: /name/ },
    {
      name: 'metadata of 20 MB',
      make: file({ __metadata__: { text: 'a'.repeat(2e7) }, t: tensor([1], 4) }, 4),
      expected: /its 1 tensors/,
    },
    {
      name: '10 million escapes',
      make: file(`{"__metadata__":{"text":"${'\\n'.repeat(1e7)}"}}`),
      expected: /its 0 tensors/,
    },
    { name: 'a string without an end', make: file(`{"${'\\"'.repeat(1e7)}`), expected: /expected a string/ },
    {
      name: 'terminal escapes in names',
      make: file({ '\u001b[2J\u001b]0;owned\u0007': tensor([1], 4), __proto__x: tensor([1], 4, 4) }, 8),
      expected: /^[^\p{Cc}]*\\u001b/u,
    },
    {
      name: '__proto__ as a name',
      make: file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      expected: /__proto__/,
    },
    {
      name: 'equal keys',
      make: file(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      expected: /twice/,
    },
    {
      name: 'half a surrogate pair',
      make: file('{"\\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      expected: /surrogate/,
    },
    { name: 'an overlap', make: file({ a: tensor([1], 4), b: tensor([1], 4, 2) }, 6), expected: /overlaps/ },
    { name: 'a hole', make: file({ a: tensor([1], 4), b: tensor([1], 4, 8) }, 12), expected: /hole/ },
    { name: 'a product beyond 2^53', make: file({ a: tensor([2 ** 52, 2 ** 52], 4) }, 4), expected: /needs/ },
    {
      name: 'a shape of a million sizes',
      make: file({ a: tensor(Array(1e6).fill(1), 4) }, 4),
      expected: /dimensions/,
    },
    {
      name: 'offsets beyond 2^53',
      make: file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[99999999999999999,4]}}'),
      expected: /below 2\^53/,
    },
    {
      name: 'integers as 1e3',
      make: file('{"a":{"dtype":"F32","shape":[1e3],"data_offsets":[0,4000]}}', 4000),
      expected: /plain digits/,
    },
    { name: '90,000 empty tensors', make: manyTensors(90_000), expected: /its 90000 tensors/ },
    {
      name: 'numbered layers in 90,000 models',
      make: manyTensors(90_000, (index) => `m${index}/layers/conv2d/vars/0`),
      expected: /its 90000 tensors/,
    },
    {
      name: '20,000 names of 1,000 characters',
      make: manyTensors(20_000, (index) => `${'a'.repeat(990)}${index}`),
      expected: /its 20000 tensors/,
    },
    {
      name: '1.5 million empty tensors',
      make: manyTensors(1_500_000),
      expected: /more than 100,?000 tensors/,
    },
    {
      name: 'a billion blocks',
      make: withOptions({ blocks: { A: 1e9, B: 1e9, C: 1e9 } }),
      expected: /blocks/,
    },
    { name: 'a million blocks', make: withOptions({ blocks: { A: 1e6 } }), expected: /blocks/ },
    {
      name: '3,000 blocks',
      make: withOptions({ blocks: { A: 1000, B: 1000, C: 1000 } }),
      expected: /3000 blocks/,
    },
    { name: 'a billion classes', make: withOptions({ classes: 1e9 }), expected: /classes/ },
    { name: 'a width of a billion', make: withOptions({ width: 1e9 }), expected: /width|expected F32/ },
    { name: 'an input of a billion pixels', make: withOptions({ inputSize: 1e9 }), expected: /inputSize/ },
    {
      name: 'a figure of 10^18 layers',
      make: model({ network: 'mine', figure: figure(1e9, 1e9) }),
      expected: /layers/,
    },
    {
      name: 'a preprocessing size of 20,000',
      make: withPreprocessing({ size: [20_000, 20_000] }),
      expected: /size/,
    },
    { name: 'a standard deviation of 0', make: withPreprocessing({ std: [0, 0, 0] }), expected: /std/ },
    { name: 'a mean of 1e300', make: withPreprocessing({ mean: [1e300, 0, 0] }), expected: /mean/ },
    { name: 'a crop of 1e-300', make: withPreprocessing({ crop: 1e-300 }), expected: /crop/ },
    {
      name: 'metadata that are no JSON',
      make: file({ __metadata__: { model: '{' }, t: tensor([1], 4) }, 4),
      expected: /not JSON/,
    },
    {
      name: 'metadata nested a million deep',
      make: file({ __metadata__: { model: '['.repeat(1e6) }, t: tensor([1], 4) }, 4),
      expected: /metadata/,
    },
    {
      name: 'a Git LFS pointer',
      make: (path) => {
        writeFileSync(
          `${path}.safetensors`,
          `version https://git-lfs.github.com/spec/v1\noid sha256:${'4'.repeat(64)}\nsize 95533400\n`,
        );
        return `${path}.safetensors`;
      },
      expected: /Git LFS pointer/,
    },
  ],
};
