// A peer of `inception bench infer`: the same network in TensorFlow.js on WebAssembly, one step for each line.
//   tfjs.mjs JOB.json FOLDER      (src/bench/ starts it)
// FOLDER is where '@tensorflow/tfjs' and '@tensorflow/tfjs-backend-wasm' are looked for, as Node.js looks for packages. The
// network is what TensorFlow.js's own converter makes of a saved model: batch normalisation folded into the convolution
// before it, bias and ReLU in its fused operation, activations [n, h, w, c].
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { answerSteps } from '../../../dist/bench/workers/answer-steps.js';
import { openSafetensors } from '../../../dist/weights/safetensors/safetensors.js';

// A library that prints must not come between the answers.
console.log = console.error;

const [path, folder] = process.argv.slice(2);
const job = JSON.parse(readFileSync(path, 'utf8'));
const require = createRequire(join(folder, 'package.json'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

wasm.setThreadsCount(job.threads);
if (!(await tf.setBackend('wasm')))
  throw new Error(
    'TensorFlow.js: its WebAssembly backend did not start; expected an installation of both packages in one version',
  );

const weights = await openSafetensors(job.weights);
const readers = job.nodes.flatMap(({ inputs }) => inputs);
const nodes = new Map(job.nodes.map((node) => [node.id, node]));

const values = async (name) => (await weights.read(name)).data;

/** The only reader of a node, if it is this operation. */
function followedBy({ id }, op) {
  const [reader, ...others] = job.nodes.filter(({ inputs }) => inputs.includes(id));
  return reader?.op === op && others.length === 0 ? reader : undefined;
}

/** [out, in, h, w] as TensorFlow's [h, w, in, out], each filter times its factor. */
function filters(data, { out, inputs, height, width, factor }) {
  const result = new Float32Array(data.length);
  const area = height * width;
  for (let o = 0; o < out; o++)
    for (let i = 0; i < inputs; i++)
      for (let at = 0; at < area; at++)
        result[(at * inputs + i) * out + o] = data[(o * inputs + i) * area + at] * factor[o];
  return tf.tensor4d(result, [height, width, inputs, out]);
}

/** For each filter what to multiply it by, and the bias. */
async function folding(conv, norm) {
  const { out } = conv.attributes;
  const factor = new Float32Array(out).fill(1);
  const { bias } = conv.parameters;
  const shift = bias === undefined ? new Float32Array(out) : Float32Array.from(await values(bias));
  if (!norm) return { factor, shift };
  const { gamma, beta, movingMean, movingVariance } = norm.parameters;
  const [mean, variance, offset] = await Promise.all([movingMean, movingVariance, beta].map(values));
  const scale = gamma === undefined ? factor : await values(gamma);
  for (let o = 0; o < out; o++) {
    factor[o] = scale[o] / Math.sqrt(variance[o] + norm.attributes.epsilon);
    shift[o] = offset[o] + (shift[o] - mean[o]) * factor[o];
  }
  return { factor, shift };
}

const explicit = ([vertical, horizontal]) => [
  [0, 0],
  [vertical, vertical],
  [horizontal, horizontal],
  [0, 0],
];
const within = ([vertical, horizontal]) =>
  vertical + horizontal === 0 ? 'valid' : explicit([vertical, horizontal]);

/** Of average pooling TensorFlow counts no padding; where the network does, the zeros are put there first. */
function averagePooling({ window, stride, padding, countPadding }) {
  if (padding[0] + padding[1] === 0) return (x) => tf.avgPool(x, window, stride, 'valid');
  if (countPadding)
    return (x) => tf.tidy(() => tf.avgPool(tf.pad(x, explicit(padding)), window, stride, 'valid'));
  return (x) => tf.avgPool(x, window, stride, 'same');
}

/** What computes a node and the nodes that were folded into it: the last one's id, and a function of the inputs. */
async function compile(node) {
  const { op, attributes } = node;
  switch (op) {
    case 'conv': {
      const { in: inputs, out, window, stride, padding, groups } = attributes;
      if (groups > 1) throw new Error('TensorFlow.js has no convolution in groups');
      const norm = followedBy(node, 'batchNorm');
      const relu = followedBy(norm ?? node, 'relu');
      const { factor, shift } = await folding(node, norm);
      const [height, width] = window;
      const filter = filters(await values(node.parameters.weight), { out, inputs, height, width, factor });
      const fixed = {
        filter,
        strides: stride,
        pad: within(padding),
        bias: tf.tensor1d(shift),
        activation: relu ? 'relu' : 'linear',
      };
      return { last: relu ?? norm ?? node, run: (x) => tf.fused.conv2d({ ...fixed, x }) };
    }
    case 'linear': {
      const { in: inputs, out } = attributes;
      const b = tf.tensor2d(await values(node.parameters.weight), [out, inputs]);
      const bias =
        node.parameters.bias === undefined ? undefined : tf.tensor1d(await values(node.parameters.bias));
      return { last: node, run: (a) => tf.fused.matMul({ a, b, transposeB: true, bias }) };
    }
    case 'batchNorm': {
      const { gamma, beta, movingMean, movingVariance } = node.parameters;
      const read = async (name) => (name === undefined ? undefined : tf.tensor1d(await values(name)));
      const [scale, offset, mean, variance] = await Promise.all(
        [gamma, beta, movingMean, movingVariance].map(read),
      );
      return { last: node, run: (x) => tf.batchNorm(x, mean, variance, offset, scale, attributes.epsilon) };
    }
    case 'relu':
      return { last: node, run: (x) => tf.relu(x) };
    case 'maxPool':
      return {
        last: node,
        run: (x) => tf.maxPool(x, attributes.window, attributes.stride, within(attributes.padding)),
      };
    case 'avgPool':
      return { last: node, run: averagePooling(attributes) };
    case 'globalAvgPool':
      return { last: node, run: (x) => tf.mean(x, [1, 2]) };
    case 'concat':
      return { last: node, run: (...parts) => tf.concat(parts, 3) };
    case 'scaledAdd':
      return { last: node, run: (x, y) => tf.tidy(() => tf.add(x, tf.mul(y, attributes.scale))) };
    case 'dropout':
      return { last: node, run: (x) => tf.clone(x) };
    default:
      throw new Error(`tfjs: node ${node.id} is '${op}', which this peer does not know`);
  }
}

/** In the order of the graph; each result is let go after its last reader. */
async function compileNetwork() {
  const steps = [];
  const folded = new Set();
  for (const node of job.nodes) {
    if (node.op === 'input' || folded.has(node.id)) continue;
    const { last, run } = await compile(node);
    for (let at = last; at !== node; at = nodes.get(at.inputs[0])) folded.add(at.id);
    steps.push({ inputs: node.inputs, to: last.id, run });
    if (last.id === job.logits) break;
  }
  return steps;
}

const steps = await compileNetwork();
await weights.close();
const images = readFileSync(job.images);
const pixels = new Float32Array(images.buffer, images.byteOffset, images.byteLength / 4);
const input = job.nodes.find(({ op }) => op === 'input');

async function step() {
  const results = new Map([[input.id, tf.tensor4d(pixels, [job.batch, ...job.input])]]);
  const waiting = new Map();
  for (const id of readers) waiting.set(id, (waiting.get(id) ?? 0) + 1);
  for (const { inputs, to, run } of steps) {
    results.set(to, run(...inputs.map((id) => results.get(id))));
    for (const id of inputs) {
      waiting.set(id, waiting.get(id) - 1);
      if (waiting.get(id) === 0) results.get(id).dispose();
    }
  }
  const logits = results.get(job.logits);
  const output = await logits.data();
  logits.dispose();
  return output;
}

const threads = wasm.getThreadsCount();
const count = threads === 1 ? '1 thread' : `${threads} threads`;
// https://github.com/tensorflow/tfjs/issues/3830
const limit = threads < job.threads ? ': this backend has no more in Node.js' : '';
await answerSteps({
  about: `TensorFlow.js ${tf.version_core}, WebAssembly with SIMD, ${count}${limit}`,
  step,
});
