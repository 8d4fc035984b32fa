/** Sees images, learns classes from the features of a trained network, and writes the model: all of it in a worker of the page. */
import { perceptualHash } from '../../../src/check/perceptual-hash.ts';
import { decodeImage } from '../../../src/classifier/web/decode-image.ts';
import { type Image, resample } from '../../../src/images/image.ts';
import { inputBytes, preprocess } from '../../../src/images/preprocess.ts';
import type { ModelDescription } from '../../../src/model/description.ts';
import { classifierInput, replaceClassifier } from '../../../src/onnx/write/replace-classifier.ts';
import { probabilitiesOf } from '../../../src/probe/apply-probe.ts';
import { strengths } from '../../../src/probe/choose-strength.ts';
import { type LearntClasses, learnClasses } from '../../../src/probe/learn-classes.ts';
import type { ModelSource } from '../classify/messages.ts';
import { factsOf, openReadModel, type ReadModel, readValidModel } from '../classify/open-model.ts';
import type { Network } from '../classify/session.ts';
import type { Event, Mistake, Outcome, Request, Seen } from './messages.ts';

interface Open {
  readonly model: ReadModel;
  readonly network: Network;
  /** The value in the file that the classifier reads. */
  readonly features: string;
}

interface Learnt extends Pick<LearntClasses, 'weight' | 'bias'> {
  readonly outcome: Outcome;
  /** Values for an image. */
  readonly length: number;
  /** One of the images that it learnt from, for a comparison with the written file. */
  readonly example: number;
}

let open: Open | undefined;
let learnt: Learnt | undefined;
/** Those of images that were taken back are kept: they may come back. */
const features = new Map<number, Float32Array>();
/** The preprocessed inputs of few images: enough to compare the written file with. */
const inputs = new Map<number, Uint8Array>();

const send = (event: Event): void => postMessage(event);

async function load(source: ModelSource): Promise<void> {
  const begin = performance.now();
  const model = await readValidModel(source, send);
  const input = classifierInput(model.shaped, model.file.name);
  await open?.network.close();
  [open, learnt] = [undefined, undefined];
  features.clear();
  inputs.clear();
  const { network } = await openReadModel(model, [input]);
  open = { model, network, features: input };
  send({
    kind: 'loaded',
    model: factsOf(model, { network, parts: [], activates: false, loadMs: performance.now() - begin }),
  });
}

function opened(): Open {
  if (!open) throw new Error('no model loaded: choose one first');
  return open;
}

/** The features of an image, and the input that they are of. */
async function featuresOf(image: Image): Promise<{ input: Uint8Array; values: Float32Array }> {
  const { model, network, features: name } = opened();
  const { preprocessing } = model.description;
  const input = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, input);
  const { values } = await network.output(input, name);
  if (!values.every(Number.isFinite))
    throw new Error(`${model.file.name}: its features of this image are not all numbers`);
  return { input, values };
}

/** Inputs that are kept; the written file is compared on one. */
const maxInputs = 8;

async function see(id: number, file: Blob): Promise<void> {
  const begin = performance.now();
  try {
    const image = await decodeImage(file);
    const { input, values } = await featuresOf(image);
    features.set(id, values);
    if (inputs.size < maxInputs) inputs.set(id, input);
    const seen: Seen = {
      width: image.width,
      height: image.height,
      digest: await sha256(file),
      hash: perceptualHash(image),
      thumbnail: await thumbnailOf(image),
    };
    send({ kind: 'seen', id, seen, elapsedMs: performance.now() - begin });
  } catch (error) {
    send({ kind: 'not seen', id, problem: (error as Error).message });
  }
}

/** Undefined without a secure context, where a browser has no digests; copies then are look-alikes. */
async function sha256(file: Blob): Promise<string | undefined> {
  if (!('subtle' in crypto)) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Longer side of a small image on the page, on a screen with two pixels for one. */
const thumbnailSide = 192;

async function thumbnailOf(image: Image): Promise<Blob> {
  const scale = Math.min(1, thumbnailSide / Math.max(image.width, image.height));
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  const [height, width] = [side(image.height), side(image.width)];
  const small = new Uint8Array(height * width * 3);
  const box = { top: 0, left: 0, height: image.height, width: image.width };
  resample(image, { box, size: [height, width], part: { top: 0, left: 0, height, width } }, small);
  const pixels = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      pixels.data[pixel * 4 + channel] = small[pixel * 3 + channel] as number;
    pixels.data[pixel * 4 + 3] = 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
}

async function train({
  revision,
  classes,
  images,
  groups,
}: Extract<Request, { kind: 'train' }>): Promise<void> {
  const begin = performance.now();
  const rows = images.map(({ id }) => features.get(id) as Float32Array);
  const length = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * length);
  rows.forEach((row, index) => {
    values.set(row, index * length);
  });
  const labels = images.map(({ label }) => label);
  let tried = 0;
  send({ kind: 'training', tried, of: strengths.length });
  const { weight, bias, crossValidation } = await learnClasses({
    ...{ values, length, labels, classes: classes.length, groups },
    onTried: () => send({ kind: 'training', tried: ++tried, of: strengths.length }),
  });
  const { probabilities, folds, error } = crossValidation;
  const counts = new Map<string, [label: number, predicted: number, images: number]>();
  const mistakes: Mistake[] = [];
  for (const [row, { id, label }] of images.entries()) {
    const found = probabilities[row];
    if (!found) continue;
    const predicted = found.indexOf(Math.max(...found));
    const count = counts.get(`${label} ${predicted}`) ?? [label, predicted, 0];
    counts.set(`${label} ${predicted}`, [label, predicted, count[2] + 1]);
    const [probability, labelProbability] = [found[predicted] as number, found[label] as number];
    if (predicted !== label) mistakes.push({ id, label, predicted, probability, labelProbability });
  }
  mistakes.sort(
    (a, b) => b.probability - b.labelProbability - (a.probability - a.labelProbability) || a.id - b.id,
  );
  const outcome: Outcome = {
    ...{ revision, classes, folds, error, mistakes },
    images: images.length,
    notJudged: probabilities.filter((each) => each === undefined).length,
    confusion: [...counts.values()],
    trainMs: performance.now() - begin,
  };
  const example = images.find(({ id }) => inputs.has(id))?.id ?? -1;
  learnt = { weight, bias, length, outcome, example };
  send({ kind: 'trained', outcome });
}

function guessOf(values: Float32Array): Float64Array {
  if (!learnt) throw new Error('nothing learnt yet: train first');
  const { weight, bias, length } = learnt;
  return probabilitiesOf({ weight, bias, part: { length } }, values).next().value as Float64Array;
}

async function guess(image: Blob): Promise<void> {
  const begin = performance.now();
  const { values } = await featuresOf(await decodeImage(image));
  const probabilities = [...guessOf(values)];
  send({ kind: 'guess', guess: { probabilities, elapsedMs: performance.now() - begin } });
}

/** Largest difference of a probability between the page and the written file; the file sums in float32. */
const tolerance = 1e-3;

async function write(): Promise<void> {
  const { model, network } = opened();
  if (!learnt) throw new Error('nothing learnt yet: train first');
  const { weight, bias, outcome, example } = learnt;
  const { hidden: _, ...options } = model.description.options;
  const { classIds: __, data: ___, validation: ____, ...described } = model.description;
  const description: ModelDescription = {
    ...described,
    options: { ...options, classes: outcome.classes.length },
    classes: outcome.classes,
    source: `taught in a page: the classifier, on the features of ${model.file.name}`,
    decisions: [
      ...(described.decisions ?? []),
      `the classifier learnt ${outcome.classes.length} classes from ${outcome.images} images; cross-validated in ${outcome.folds} folds, its error is ${(100 * outcome.error).toFixed(2)}%`,
    ],
  };
  const bytes = replaceClassifier(model.file.bytes, {
    ...{ weight, bias, description },
    path: model.file.name,
  });
  // Where all images that were kept for this are gone, on a grey one.
  const input = inputs.get(example) ?? new Uint8Array(inputBytes(described.preprocessing)).fill(128);
  const file = { ...model.file, bytes };
  const metadata = new Map([...model.metadata, ['output', 'logits']]);
  const { network: reopened } = await openReadModel({ ...model, file, description, metadata });
  try {
    const { values } = await network.output(input, opened().features);
    const [expected, received] = [guessOf(values), await reopened.predict(input)];
    const difference = Math.max(...expected.map((each, at) => Math.abs(each - (received[at] as number))));
    if (!(difference < tolerance))
      throw new Error(
        `the written model differs from this page's by ${difference.toPrecision(2)} in a probability (expected less than ${tolerance}); it is not given away`,
      );
  } finally {
    await reopened.close();
  }
  send({ kind: 'written', file: new Blob([bytes], { type: 'application/octet-stream' }) });
}

const handlers: {
  readonly [K in Request['kind']]: (request: Extract<Request, { kind: K }>) => Promise<void> | void;
} = {
  load: ({ source }) => load(source),
  see: ({ id, file }) => see(id, file),
  train,
  try: ({ image }) => guess(image),
  write,
};

/** Requests are handled in sequence. */
let last: Promise<void> = Promise.resolve();

addEventListener('message', ({ data: request }: MessageEvent<Request>) => {
  last = last.then(async () => {
    try {
      await (handlers[request.kind] as (request: Request) => Promise<void> | void)(request);
    } catch (error) {
      send({ kind: 'failed', during: request.kind, message: (error as Error).message });
    }
  });
});
