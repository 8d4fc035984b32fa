// The most probable label of one picture: node examples/classify-a-picture.mjs RUN PICTURE
import { decodePicture, loadModel, openTorch, preprocess, topClasses } from 'inception';

const [run, picture] = process.argv.slice(2);
const engine = openTorch();
const { predictor, description } = await loadModel(run, { engine, batch: 1, precision: 'float32' });
const { preprocessing, classes } = description;
const image = new Uint8Array(preprocessing.size[0] * preprocessing.size[1] * 3);
preprocess(await decodePicture(picture), preprocessing, image);
const probabilities = await predictor.predict(image);
const [best] = topClasses(probabilities, { row: 0, classes: classes.length, k: 1 });
console.log(classes[best.label], best.probability);
await engine.close();
