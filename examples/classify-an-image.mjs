// The most probable label of one image: node examples/classify-an-image.mjs MODEL IMAGE
import { loadClassifier } from 'inception-networks';

const classifier = await loadClassifier(process.argv[2]);
const [best] = await classifier.classify(process.argv[3]);
console.log(best.label, best.probability);
await classifier.close();
