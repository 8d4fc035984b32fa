/**
 * `npm run demo`: a reduced Inception-ResNet-v2 learns Fashion-MNIST in a few minutes. Progress goes to standard error;
 * standard output is the error on all 10,000 test images.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { encodePng } from '../data/decode.ts';
import { openData } from '../data/open-data.ts';
import type { Engine } from '../engine/engine.ts';
import { drawGallery, type GalleryEntry } from '../evaluate/gallery.ts';
import { describeProtocol, preprocess } from '../images/preprocess.ts';
import { type LoadedModel, loadModel } from '../predict/load-model.ts';
import { topClasses } from '../predict/top-classes.ts';
import type { Configuration } from '../train/configuration/configuration.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import { train } from '../train/start-run.ts';
import { openEngine } from './options/engine-options.ts';
import { grouped, percent } from './output/format.ts';
import { openProgress } from './output/progress.ts';

/** Small enough for a few minutes on two cores, with every kind of block in the figures. */
const demo = {
  network: 'inception-resnet-v2',
  options: { width: 0.25, blocks: { A: 1, B: 2, C: 1 }, inputSize: 75 },
  recipe: { name: 'small-data', epochs: 3, averageDecay: 0.99 },
  data: 'fashion-mnist',
  /** All 60,000 training images are trained on: nothing is chosen by the evaluations. */
  validation: 0,
  folder: 'runs/demo',
  /** Number of test images in the gallery. */
  images: 24,
} as const;

const engine = await openEngine({ device: 'auto' });
try {
  const { configuration, top1Error } = await trainDemo(engine);
  const model = await loadModel(demo.folder, { engine, batch: 100, precision: configuration.precision });
  const test = await openData(demo.data, 'test');
  const gallery = join(demo.folder, 'classified.svg');
  await writeFile(
    gallery,
    drawGallery(await classify(test, model), `${test.name}, classified by ${demo.network}`),
  );
  say(`protocol: ${describeProtocol(configuration.preprocessing)}, ${grouped(test.length)} images`);
  say(`curves: ${join(demo.folder, 'curves.svg')}`);
  say(`classified images: ${gallery}`);
  process.stdout.write(`test error ${percent(top1Error)}\n`);
} finally {
  await engine.close();
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Trains the model; the error is that on the test images. */
async function trainDemo(
  engine: Engine,
): Promise<{ readonly configuration: Configuration; readonly top1Error: number }> {
  const { network, options, recipe, data, validation, folder } = demo;
  await rm(folder, { recursive: true, force: true });
  const progress = openProgress();
  const training = train({ network, options, recipe, data, validation, out: folder, engine });
  for await (const event of training) {
    if (event.kind === 'start') {
      const { configuration, totalSteps, train: images } = event;
      const { epochs, batch } = configuration.recipe;
      progress.say(
        `training a reduced ${network} on ${images.name}: ${grouped(images.length)} images, ${epochs} epochs, ${configuration.precision}`,
      );
      progress.start({ step: 0, totalSteps, batch });
    } else if (event.kind === 'step') progress.step(event);
  }
  progress.stop();
  const { test } = await training.result;
  return {
    configuration: await new RunFolder(folder).configuration(),
    top1Error: test?.top1Error ?? Number.NaN,
  };
}

/** Classifies the first test images. */
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
