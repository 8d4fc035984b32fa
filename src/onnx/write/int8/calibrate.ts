/** Runs a float32 graph on images and finds the range of every value to be quantised. */
import type { Dataset } from '../../../data/dataset.ts';
import { SkippedImages } from '../../../data/skipped-images.ts';
import { inputBytes, type Preprocessing, preprocess } from '../../../images/preprocess.ts';
import {
  type CalibrationMethod,
  chooseRange,
  type Histogram,
  histogramBins,
  type Range,
} from '../../../int8/range-finding.ts';
import type { OnnxGraph } from '../../onnx-graph.ts';
import { scaledPlanes } from '../../run/image-tensors.ts';
import { type InferenceSession, loadRuntime, openSession, type Tensor } from '../../run/runtime.ts';
import { encodeModel } from '../encode-model.ts';

export interface CalibrationOptions {
  readonly dataset: Dataset;
  readonly preprocessing: Preprocessing;
  readonly method: CalibrationMethod;
  readonly threads?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called once for an image that cannot be used, which is then left out. */
  readonly onBroken?: ((index: number, error: Error) => void) | undefined;
}

/** Input values per batch, which bounds memory: all of the network's values are outputs. */
const maxInputs = 600_000;

/** The range of each value, over all images of the dataset. */
export async function calibrate(
  graph: OnnxGraph,
  values: readonly string[],
  options: CalibrationOptions,
): Promise<ReadonlyMap<string, Range>> {
  const { method, threads, dataset, onProgress } = options;
  const outputs = values.map((name) => ({ name, type: 'float32', dims: undefined }) as const);
  const model = encodeModel({ graph: { ...graph, outputs }, metadata: {}, producerVersion: '' });
  const session = await openSession(model, { path: `${graph.name} (calibration)`, threads });
  const skipped = new SkippedImages(dataset, options.onBroken);
  try {
    const passes = method === 'min-max' ? 1 : 2;
    let done = 0;
    const run = async (consume: (name: string, data: ArrayLike<number>) => void) => {
      for await (const images of batches(options, skipped)) {
        await observe(session, { graph, images, options, consume });
        done += images.length / inputBytes(options.preprocessing);
        onProgress?.(done, passes * dataset.length);
      }
    };
    const histograms = new Map(values.map((name) => [name, new HistogramCounter()]));
    await run((name, data) => histograms.get(name)?.widen(data));
    if (passes === 2) await run((name, data) => histograms.get(name)?.count(data));
    return new Map([...histograms].map(([name, counting]) => [name, chooseRange(counting, method)]));
  } finally {
    await session.release();
  }
}

async function* batches(
  { dataset, preprocessing }: CalibrationOptions,
  skipped: SkippedImages,
): AsyncGenerator<Uint8Array> {
  const bytes = inputBytes(preprocessing);
  const batchSize = Math.max(1, Math.floor(maxInputs / bytes));
  for (let start = 0; start < dataset.length; start += batchSize) {
    const images = new Uint8Array(Math.min(batchSize, dataset.length - start) * bytes);
    let count = 0;
    for (let index = start; index < Math.min(start + batchSize, dataset.length); index++) {
      const image = await skipped.read(index);
      if (image) preprocess(image, preprocessing, images, count++ * bytes);
    }
    if (count > 0) yield images.subarray(0, count * bytes);
  }
}

async function observe(
  session: InferenceSession,
  {
    graph: { input },
    images,
    options: { preprocessing },
    consume: take,
  }: {
    graph: OnnxGraph;
    images: Uint8Array;
    options: CalibrationOptions;
    consume: (name: string, data: ArrayLike<number>) => void;
  },
): Promise<void> {
  const { Tensor } = await loadRuntime();
  const dims = (input.dims ?? []).map((size) =>
    typeof size === 'number' ? size : images.length / inputBytes(preprocessing),
  );
  const data = input.type === 'uint8' ? images : scaledPlanes(images, preprocessing);
  const results = await session.run({
    [input.name]: new Tensor(input.type as 'float32', data as Float32Array, dims),
  });
  for (const [name, tensor] of Object.entries(results)) take(name, (tensor as Tensor).data as Float32Array);
}

/** Finds the minimum and maximum of a value first, then counts its histogram. */
class HistogramCounter implements Histogram {
  low = Number.POSITIVE_INFINITY;
  high = Number.NEGATIVE_INFINITY;
  readonly counts = new Float64Array(histogramBins);

  widen(data: ArrayLike<number>): void {
    let { low, high } = this;
    for (let index = 0; index < data.length; index++) {
      const value = data[index] as number;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this.low = low;
    this.high = high;
  }

  count(data: ArrayLike<number>): void {
    const { low, high, counts } = this;
    const perUnit = high > low ? histogramBins / (high - low) : 0;
    for (let index = 0; index < data.length; index++) {
      const bin = Math.min(Math.floor(((data[index] as number) - low) * perUnit), histogramBins - 1);
      counts[bin] = (counts[bin] as number) + 1;
    }
  }
}
