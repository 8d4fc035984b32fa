/**
 * The process that runs an ONNX model: ONNX Runtime's binding computes on the calling thread, which would block a server's event
 * loop, and a file of unknown origin may compute without end or take all memory.
 */
import { Worker } from 'node:worker_threads';
import { InceptionError } from '../../errors.ts';
import { inputBytes } from '../../images/preprocess.ts';
import { syntheticImages } from '../../images/synthetic-images.ts';
import type { PredictingModel } from '../predicting-model.ts';
import { openByOnnx } from '../run-by-onnx.ts';
import type { OnnxFacts, OnnxJob, OpenOnnx } from './messages.ts';
import { question, type Reply } from './watched-process.ts';

const send = (message: Reply<OnnxFacts, Float32Array>) => process.send?.(message);

let model: PredictingModel | undefined;

/** What this process may take at the moment. */
const limit = new Float64Array(new SharedArrayBuffer(8));

/** What it may take while it computes so many images. */
let limitFor = (_images: number): number => Number.POSITIVE_INFINITY;

async function open({
  path,
  memoryBytes = Number.POSITIVE_INFINITY,
  ...options
}: OpenOnnx): Promise<OnnxFacts> {
  limit[0] = memoryBytes;
  watchMemory();
  const notices: string[] = [];
  model = await openByOnnx(path, { ...options, isolated: true, onNotice: (line) => notices.push(line) });
  const { description, source, precision, predictor } = model;
  // Not black: a network that divides by the image's own deviation has no answer to that.
  const image = syntheticImages(description.preprocessing, 1);
  const [begin, rss] = [performance.now(), process.memoryUsage.rss()];
  // The first image: what a file computes without end, or beyond all memory, shows here.
  const { length: outputs } = await predictor.outputs(image);
  const firstImageMs = performance.now() - begin;
  const imageMemory = process.memoryUsage.rss() - rss;
  limitFor = (images) => memoryBytes + 2 * images * imageMemory;
  return { description, source, precision, outputs, firstImageMs, notices };
}

/** A thread that ends the process when it takes too much memory, or is left by the process that started it while it computes. */
function watchMemory(): void {
  const program = `
    const { workerData } = require('node:worker_threads');
    const { writeSync } = require('node:fs');
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
      if (process.memoryUsage.rss() <= workerData[0]) return;
      writeSync(2, 'it took more than ' + Math.round(workerData[0] / 2 ** 20) + ' MiB of memory');
      process.kill(process.pid, 'SIGKILL');
    }, 25);`;
  new Worker(program, { eval: true, workerData: limit, execArgv: [] }).unref();
}

function compute(
  { predictor, description: { preprocessing } }: PredictingModel,
  { images, wanted }: OnnxJob,
): Promise<Float32Array> {
  limit[0] = limitFor(images.length / inputBytes(preprocessing));
  return predictor[wanted](images);
}

process.on('message', async (message: OpenOnnx | OnnxJob | typeof question) => {
  try {
    if (message === question) send({ kind: 'result', result: new Float32Array() });
    else if ('path' in message) send({ kind: 'opened', facts: await open(message) });
    else if (model) send({ kind: 'result', result: await compute(model, message) });
  } catch (error) {
    const refused = error instanceof InceptionError;
    const { message: text, stack = text } = error as Error;
    send({ kind: 'failed', message: refused ? text : stack, refused });
  }
});

// Ctrl-C and a service manager's SIGTERM reach the whole process group; who started this process ends it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
