// What TensorFlow.js itself computes from a layers model: node tensorflow-js.mjs PACKAGES MODEL PIXELS
// PACKAGES is where @tensorflow/tfjs is installed; with @tensorflow/tfjs-backend-wasm beside it, that takes seconds instead of minutes.
// PIXELS holds float32 [n, 299, 299, 3]. Prints JSON: the features, which are the input of the first dense layer, and the probabilities.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [packages, folder, images] = process.argv.slice(2);
const require = createRequire(join(packages, 'package.json'));
const print = console.log;
// TensorFlow.js greets on standard output.
console.log = console.error;
const tf = require('@tensorflow/tfjs');
let backend = 'cpu';
try {
  require('@tensorflow/tfjs-backend-wasm');
  backend = 'wasm';
} catch {}
await tf.setBackend(backend);

const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
const shards = weightsManifest.flatMap(({ paths }) => paths.map((path) => readFileSync(join(folder, path))));
const model = await tf.loadLayersModel(
  tf.io.fromMemory({
    modelTopology,
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
    weightData: Uint8Array.from(Buffer.concat(shards)).buffer,
  }),
);
const dense = model.layers.find((layer) => layer.getClassName() === 'Dense');
const both = tf.model({ inputs: model.inputs, outputs: [dense.input, model.outputs[0]] });
const pixels = new Float32Array(Uint8Array.from(readFileSync(images)).buffer);
const size = 299 * 299 * 3;
const results = [];
for (let at = 0; at < pixels.length; at += size) {
  const [features, probabilities] = tf.tidy(() =>
    both.predict(tf.tensor4d(pixels.subarray(at, at + size), [1, 299, 299, 3])),
  );
  results.push({ features: [...(await features.data())], probabilities: [...(await probabilities.data())] });
}
print(JSON.stringify({ version: tf.version.tfjs, backend, results }));
