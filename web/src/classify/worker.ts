/** Decodes, preprocesses and runs the network in a worker, so that the page stays responsive. */
import { decodeImage } from '../../../src/classifier/web/decode-image.ts';
import { inputBytes, type Preprocessing, preprocess } from '../../../src/images/preprocess.ts';
import type { ModelDescription } from '../../../src/model/description.ts';
import {
  activationOf,
  type ClassifierGrid,
  classifierGrid,
} from '../../../src/onnx/shapes/classifier-grid.ts';
import { type Insides, insidesOf } from './look-inside.ts';
import type { Event, ModelSource, Request, Result } from './messages.ts';
import { occlusion } from './occlusion.ts';
import { factsOf, openReadModel, readValidModel } from './open-model.ts';
import type { Network } from './session.ts';

let network: Network | undefined;
let description: ModelDescription | undefined;
let input: Uint8Array<ArrayBuffer> | undefined;
/** The probabilities of the last image. */
let probabilities: Float32Array | undefined;
let insides: Insides | undefined;
/** Of the classifier, if it reads the mean of a grid. */
let gridNames: ClassifierGrid | undefined;
/** Read when it is first needed. */
let gridWeight: Float32Array | undefined;
let saliencyRun = 0;

const send = (event: Event): void => postMessage(event);

async function load(source: ModelSource): Promise<void> {
  const begin = performance.now();
  const model = await readValidModel(source, send);
  await network?.close();
  await insides?.close();
  [network, insides, input, probabilities] = [undefined, undefined, undefined, undefined];
  const found = classifierGrid(model.shaped);
  const opened = await openReadModel(model, found ? [found.grid, found.weight] : []);
  network = opened.network;
  const [, , height = 1, width = 1] = opened.dims;
  // A map of one cell would say nothing.
  [gridNames, gridWeight] = [height * width > 1 ? found : undefined, undefined];
  description = model.description;
  insides = insidesOf(model.file.bytes, { path: model.file.name, description, shaped: model.shaped });
  const loadMs = performance.now() - begin;
  send({
    kind: 'loaded',
    model: factsOf(model, { network, parts: insides.parts, activates: gridNames !== undefined, loadMs }),
  });
}

async function classify(file: Blob): Promise<void> {
  if (!network || !description) throw new Error('no model loaded: choose one first');
  const { preprocessing } = description;
  const times = [performance.now()];
  const image = await decodeImage(file);
  times.push(performance.now());
  input = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, input);
  times.push(performance.now());
  probabilities = await network.predict(input);
  times.push(performance.now());
  const [decodeMs, preprocessMs, runMs] = times
    .slice(1)
    .map((time, index) => time - (times[index] as number));
  const result: Result = {
    top: Array.from(probabilities, (probability, label) => ({ label, probability }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, 5),
    input: visible(input, preprocessing),
    image: { width: image.width, height: image.height },
    decodeMs: decodeMs as number,
    preprocessMs: preprocessMs as number,
    runMs: runMs as number,
  };
  send({ kind: 'result', result });
}

function visible(bytes: Uint8Array, { size, channels = 3 }: Preprocessing): Result['input'] {
  const [height, width] = size;
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let channel = 0; channel < 3; channel++)
      pixels[pixel * 4 + channel] = bytes[pixel * channels + (channels === 1 ? 0 : channel)] as number;
  return { width, height, pixels };
}

/** Squares per batch. */
const batch = 4;

async function explain({ label, cells }: { label: number; cells: number | 'activation' }): Promise<void> {
  if (!network || !description || !input || !probabilities)
    throw new Error('no image yet: classify one first');
  const run = ++saliencyRun;
  const begin = performance.now();
  if (cells === 'activation') {
    if (!gridNames) throw new Error("this model's classifier does not read the mean of a grid");
    const grid = await network.output(input, gridNames.grid);
    gridWeight ??= (await network.output(input, gridNames.weight)).values;
    const [width = 1] = grid.dims.slice(3);
    const map = activationOf(grid, { weight: gridWeight, label });
    const elapsedMs = performance.now() - begin;
    send({
      kind: 'saliency',
      by: 'activation',
      label,
      cells: width,
      done: map.length,
      values: map,
      elapsedMs,
    });
    return;
  }
  const { covered } = occlusion(input, { preprocessing: description.preprocessing, cells });
  const baseline = probabilities[label] as number;
  const classes = probabilities.length;
  const values = new Float32Array(cells * cells);
  for (let start = 0; start < values.length; start += batch) {
    const end = Math.min(start + batch, values.length);
    const results = await network.predict(covered(start, end));
    // A newer request has arrived, or the map was stopped.
    if (run !== saliencyRun) return;
    for (let cell = start; cell < end; cell++)
      values[cell] = baseline - (results[(cell - start) * classes + label] as number);
    const elapsedMs = performance.now() - begin;
    send({ kind: 'saliency', by: 'covering', label, cells, done: end, values: values.slice(), elapsedMs });
  }
}

async function lookInside(part: string): Promise<void> {
  if (!insides || !input) throw new Error('no image yet: classify one first');
  send({ kind: 'inside', inside: await insides.look(input, part) });
}

/** As many as are shown. */
const mostFound = 12;

/** Any later request ends it, with what was found until then. */
async function findStrongest({
  part,
  channel,
  files,
}: Extract<Request, { kind: 'strongest' }>): Promise<void> {
  if (!insides || !description) throw new Error('no model loaded: choose one first');
  const run = ++saliencyRun;
  const { preprocessing } = description;
  let found: { readonly index: number; readonly mean: number }[] = [];
  const broken: string[] = [];
  for (const [index, file] of files.entries()) {
    try {
      const seen = new Uint8Array(inputBytes(preprocessing));
      preprocess(await decodeImage(file), preprocessing, seen);
      const { values, height, width } = await insides.look(seen, part);
      const cells = height * width;
      if (channel >= values.length / cells)
        throw new RangeError(
          `channel: expected 0 to ${values.length / cells - 1}, the channels of ${part}, received ${channel}`,
        );
      const own = values.subarray(channel * cells, (channel + 1) * cells);
      const mean = own.reduce((sum, value) => sum + value, 0) / cells;
      found = [...found, { index, mean }].sort((a, b) => b.mean - a.mean).slice(0, mostFound);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      broken.push(file.name);
    }
    send({
      kind: 'strongest',
      strongest: { part, channel, done: index + 1, of: files.length, broken: [...broken], found },
    });
    if (run !== saliencyRun) return;
  }
}

/** Requests are handled in sequence; a new one cancels a saliency map in progress. */
let last: Promise<void> = Promise.resolve();

addEventListener('message', ({ data: request }: MessageEvent<Request>) => {
  saliencyRun++;
  if (request.kind === 'stop saliency') return;
  last = last.then(async () => {
    try {
      if (request.kind === 'load') await load(request.source);
      else if (request.kind === 'classify') await classify(request.image);
      else if (request.kind === 'inside') await lookInside(request.part);
      else if (request.kind === 'strongest') await findStrongest(request);
      else await explain(request);
    } catch (error) {
      send({ kind: 'failed', during: request.kind, message: (error as Error).message });
    }
  });
});
