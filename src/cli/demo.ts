/**
 * `npm run demo`: a reduced Inception-ResNet-v2 learns Fashion-MNIST in a few minutes. Talk goes to standard error; the
 * last line of standard output is the error on all 10,000 test images.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { encodePng } from '../data/decode.ts';
import { openData } from '../data/open-data.ts';
import type { Engine } from '../engine/engine.ts';
import { choosePrecision } from '../engine/precision.ts';
import { drawGallery, type GalleryEntry } from '../evaluate/gallery.ts';
import { score } from '../evaluate/score.ts';
import { describeProtocol, preprocess, standardPreprocessing } from '../images/preprocess.ts';
import { type LoadedModel, loadModel } from '../predict/load-model.ts';
import { topClasses } from '../predict/top-classes.ts';
import type { Configuration } from '../train/configuration.ts';
import { writeCurves } from '../train/curves.ts';
import { resolveRecipe } from '../train/recipe.ts';
import { RunFolder } from '../train/run-folder.ts';
import { train } from '../train/train.ts';
import { packageVersion } from '../version.ts';
import { openEngine } from './options/engine-options.ts';
import { grouped, percent } from './output/format.ts';
import { openProgress } from './output/progress.ts';

/** Small enough for two cores and a few minutes, and still every kind of block of the figures. */
const demo = {
  network: 'inception-resnet-v2',
  options: { width: 0.25, blocks: { A: 1, B: 2, C: 1 }, inputSize: 75 },
  recipe: { epochs: 3, averageDecay: 0.99 },
  data: 'fashion-mnist',
  folder: 'runs/demo',
  /** Test images on the sheet. */
  images: 24,
} as const;

const engine = await openEngine({ device: 'auto', precision: 'auto' });
try {
  const configuration = await configurationFor(engine);
  await trainDemo(engine, configuration);
  const model = await loadModel(demo.folder, { engine, batch: 100, precision: configuration.precision });
  const test = await openData(demo.data, 'test');
  const { predictor } = model;
  const { preprocessing } = configuration;
  const { top1Error, count } = await score(test, {
    members: [{ predictor, preprocessing }],
    views: { crops: 1 },
  });
  const gallery = join(demo.folder, 'classified.svg');
  await writeFile(
    gallery,
    drawGallery(await classify(test, model), `${test.name}, classified by ${demo.network}`),
  );
  say(`protocol: ${describeProtocol(configuration.preprocessing)}, ${grouped(count)} images`);
  say(`curves: ${join(demo.folder, 'curves.svg')}`);
  say(`classified images: ${gallery}`);
  process.stdout.write(`test error ${percent(top1Error)}\n`);
} finally {
  await engine.close();
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function configurationFor(opened: Engine): Promise<Configuration> {
  const recipe = resolveRecipe('small-data', demo.recipe);
  const { classes } = await openData(demo.data, 'train');
  const { inputSize } = demo.options;
  return {
    format: 1,
    network: demo.network,
    options: { ...demo.options, classes: classes.length },
    data: demo.data,
    classes,
    preprocessing: standardPreprocessing([inputSize, inputSize], { crop: recipe.evaluationCrop }),
    recipe,
    seed: 1,
    precision: choosePrecision('auto', opened.facts),
    device: opened.facts.device,
    threads: opened.facts.threads,
    limitTrain: null,
    limitTest: null,
    versions: { inception: packageVersion, libtorch: opened.facts.libtorch, node: process.versions.node },
  };
}

async function trainDemo(opened: Engine, configuration: Configuration): Promise<void> {
  await rm(demo.folder, { recursive: true, force: true });
  const folder = new RunFolder(demo.folder);
  await folder.create(configuration);
  const progress = openProgress();
  const { recipe, precision } = configuration;
  await train({
    configuration,
    folder,
    engine: opened,
    resume: false,
    onStart: ({ train: data, totalSteps }) => {
      progress.say(
        `${demo.network}, reduced, learns ${data.name} (${grouped(data.length)} images) in ${recipe.epochs} epochs, ${precision}`,
      );
      progress.start({ step: 0, totalSteps, batch: recipe.batch });
    },
    onStep: progress.step,
    onEvaluation: ({ epoch, top1Error }) => progress.say(`epoch ${epoch}: test error ${percent(top1Error)}`),
  });
  progress.stop();
  await writeCurves(folder);
}

/** The first test images with what they were taken for. */
async function classify(test: Dataset, { predictor, description }: LoadedModel): Promise<GalleryEntry[]> {
  const { preprocessing } = description;
  const inputs = new Uint8Array(predictor.batch * preprocessing.size[0] * preprocessing.size[1] * 3);
  const bytes = inputs.length / predictor.batch;
  const images = await Promise.all(Array.from({ length: demo.images }, (_, index) => test.image(index)));
  images.forEach((image, row) => {
    preprocess(image, preprocessing, inputs, row * bytes);
  });
  const probabilities = await predictor.predict(inputs);
  return Promise.all(
    images.map(async (image, row) => {
      const [best] = topClasses(probabilities, { row, classes: predictor.classes, k: 1 });
      return {
        png: await encodePng(image),
        label: test.classes[test.label(row)] as string,
        predicted: test.classes[best?.label ?? 0] as string,
        probability: best?.probability ?? 0,
      };
    }),
  );
}
