// Writes an untrained model, for load tests and for trying commands: it costs what a trained one costs. From a built checkout:
//   node scripts/random-model.mjs NETWORK FILE.safetensors [WIDTH] [INPUT SIZE] [CLASSES] [BLOCKS A,B,C]

import { parametersOf } from '../dist/graph/graph.js';
import { standardPreprocessing } from '../dist/images/preprocess.js';
import { graphOf } from '../dist/model/description.js';
import { initialValues } from '../dist/model/initialise.js';
import { writeModel } from '../dist/model/write-model.js';

const [network, file, width = '1', inputSize = '299', classes = '1000', blocks] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write(
    'usage: random-model.mjs NETWORK FILE.safetensors [WIDTH] [INPUT SIZE] [CLASSES] [BLOCKS A,B,C]\n',
  );
  process.exit(2);
}
const [A, B, C] = blocks?.split(',').map(Number) ?? [];
const options = {
  classes: Number(classes),
  inputSize: Number(inputSize),
  ...(width !== '1' && { width: Number(width) }),
  ...(blocks && { blocks: { A, B, C } }),
};
const description = {
  network,
  options,
  classes: Array.from({ length: options.classes }, (_, index) => `class ${index}`),
  preprocessing: standardPreprocessing([options.inputSize, options.inputSize]),
  source: 'untrained',
};
const parameters = parametersOf(graphOf(description));
await writeModel(file, { description, parameters, read: async (parameter) => initialValues(parameter, 1) });
