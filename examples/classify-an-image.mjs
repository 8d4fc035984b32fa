// The most probable label of one image: node examples/classify-an-image.mjs RUN IMAGE
import { decodeImage, loadModel, openTorch, preprocess, topClasses } from 'inception-networks';

const [run, path] = process.argv.slice(2);
const engine = openTorch();
const { predictor, description } = await loadModel(run, { engine, batch: 1, precision: 'float32' });
const { preprocessing, classes } = description;
const input = new Uint8Array(preprocessing.size[0] * preprocessing.size[1] * 3);
preprocess(await decodeImage(path), preprocessing, input);
const probabilities = await predictor.predict(input);
const [best] = topClasses(probabilities, { row: 0, classes: classes.length, k: 1 });
console.log(classes[best.label], best.probability);
await engine.close();
