/** Decoding, preprocessing and the network itself, away from the page, which stays responsive. */
import { inputBytes, type Preprocessing, preprocess } from '../../../src/images/preprocess.ts';
import type { ModelDescription } from '../../../src/model/description.ts';
import { describedBy } from '../../../src/onnx/model-metadata.ts';
import { walkModel } from '../../../src/onnx/run/walk-model.ts';
import { decodeImage } from './decode.ts';
import type { Event, ModelSource, Request, Result } from './messages.ts';
import { readModel } from './model-file.ts';
import { occlusion } from './occlusion.ts';
import { type Network, openNetwork } from './session.ts';

let network: Network | undefined;
let description: ModelDescription | undefined;
let input: Uint8Array<ArrayBuffer> | undefined;
/** The probabilities of the last image. */
let probabilities: Float32Array | undefined;
let saliencyRun = 0;

const say = (event: Event): void => postMessage(event);

async function load(source: ModelSource): Promise<void> {
  const begin = performance.now();
  const file = await readModel(source, (done, total) => say({ kind: 'progress', done, total }));
  say({ kind: 'starting' });
  const { metadata } = walkModel(file.bytes, file.name);
  const described = describedBy(metadata, file.name);
  if (!described) {
    throw new Error(
      `${file.name}: its metadata have no 'model' with labels and preprocessing; 'inception export' writes files that have it`,
    );
  }
  if (described.classes.length === 0) throw new Error(`${file.name}: the network has no classifier`);
  await network?.close();
  [network, input, probabilities] = [undefined, undefined, undefined];
  network = await openNetwork(file.bytes, {
    preprocessing: described.preprocessing,
    softmax: metadata.get('output') === 'probabilities',
  });
  description = described;
  // The first run allocates; measured times are of those after it.
  await network.predict(new Uint8Array(inputBytes(described.preprocessing)));
  say({
    kind: 'loaded',
    model: {
      name: file.name,
      bytes: file.bytes.length,
      description,
      precision: metadata.get('precision'),
      backend: network.backend,
      cached: file.cached,
      checked: file.checked,
      loadMs: performance.now() - begin,
    },
  });
}

async function classify(file: Blob): Promise<void> {
  if (!network || !description) throw new Error('there is no model yet: choose one first');
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
  say({ kind: 'result', result });
}

function visible(bytes: Uint8Array, { size, channels = 3 }: Preprocessing): Result['input'] {
  const [height, width] = size;
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let channel = 0; channel < 3; channel++)
      pixels[pixel * 4 + channel] = bytes[pixel * channels + (channels === 1 ? 0 : channel)] as number;
  return { width, height, pixels };
}

/** Squares covered at a time. */
const batch = 4;

async function explain({ label, cells }: { label: number; cells: number }): Promise<void> {
  if (!network || !description || !input || !probabilities)
    throw new Error('there is no image yet: classify one first');
  const run = ++saliencyRun;
  const begin = performance.now();
  const { covered } = occlusion(input, { preprocessing: description.preprocessing, cells });
  const whole = probabilities[label] as number;
  const classes = probabilities.length;
  const values = new Float32Array(cells * cells);
  for (let from = 0; from < values.length; from += batch) {
    const to = Math.min(from + batch, values.length);
    const found = await network.predict(covered(from, to));
    // Another image or another label has come meanwhile, or nobody waits any more.
    if (run !== saliencyRun) return;
    for (let cell = from; cell < to; cell++)
      values[cell] = whole - (found[(cell - from) * classes + label] as number);
    const elapsedMs = performance.now() - begin;
    say({ kind: 'saliency', label, cells, done: to, values: values.slice(), elapsedMs });
  }
}

/** One thing after the other; a saliency map in progress gives way. */
let last: Promise<void> = Promise.resolve();

addEventListener('message', ({ data: request }: MessageEvent<Request>) => {
  saliencyRun++;
  if (request.kind === 'stop saliency') return;
  last = last.then(async () => {
    try {
      if (request.kind === 'load') await load(request.source);
      else if (request.kind === 'classify') await classify(request.image);
      else await explain(request);
    } catch (error) {
      say({ kind: 'failed', during: request.kind, message: (error as Error).message });
    }
  });
});
