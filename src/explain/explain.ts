/** What an image's label depends on: Grad-CAM of a part, or the gradient of the input. */
import { type Classifications, rank } from '../classifier/classification.ts';
import type { HostTensor } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { ValueMap } from '../images/heatmap/heatmap.ts';
import type { Box, Image } from '../images/image.ts';
import { inputBytes, type Preprocessing, preprocess, seenBox } from '../images/preprocess.ts';
import { ModelError } from '../model/description.ts';
import type { LoadedModel } from '../predict/load-model.ts';
import { randomFor } from '../random.ts';
import { choosePart } from './choose-part.ts';
import { findClass } from './find-class.ts';
import { gradCam, percentile, saliency } from './value-maps.ts';

export const explanationMethods = ['grad-cam', 'input-gradient', 'smooth-grad'] as const;

/**
 * `grad-cam`: what of a part speaks for a class (arXiv 1610.02391). `input-gradient`: pixels whose change would change its logit most
 * (arXiv 1312.6034). `smooth-grad`: the same, averaged over noisy copies of the image (arXiv 1706.03825).
 */
export type ExplanationMethod = (typeof explanationMethods)[number];

/** What is explained, and how. */
export interface ExplainOptions {
  /** Default `grad-cam`. */
  readonly method?: ExplanationMethod;
  /** For `grad-cam`: a named part of the network with a grid. Default: the last one with more than one cell. */
  readonly part?: string;
  /** A label, its identifier, or the number of an output. Default: the most probable one. */
  readonly class?: string | number;
  /** For `smooth-grad`: noisy copies. Default 25. */
  readonly samples?: number;
}

/** A map of an image's parts by how much a class depends on them. */
export interface Explanation {
  readonly method: ExplanationMethod;
  /** The part of `grad-cam`. */
  readonly part?: string;
  /** Noisy copies of `smooth-grad`. */
  readonly samples?: number;
  /** The class that is explained. */
  readonly index: number;
  readonly label: string;
  /** 0–1, of the single crop. */
  readonly probability: number;
  /** The most probable classes, first the most probable. */
  readonly predicted: Classifications;
  /** Rows and columns, and values of 0 and above: of the logit per cell for `grad-cam`, per unit of the scaled input for the others. */
  readonly map: ValueMap;
  /** The value that is drawn in the last colour: the largest, or for gradients of single pixels their 99th percentile. */
  readonly top: number;
  /** The part of the image that the network sees, in the image's pixels: what the map covers. */
  readonly box: Box;
  /** What was decided or is unusual, a sentence each. */
  readonly notices: readonly string[];
}

/** The share of the input's range that SmoothGrad's noise has as its standard deviation; the paper recommends 10% to 20%. */
const noise = 0.15;
const usualSamples = 25;

/**
 * Explains the classification of an image by a model with weights.
 *
 * ```ts
 * const engine = openTorch();
 * const model = await loadModel('runs/photos', { engine });
 * const image = await decodeImage('cat.jpg');
 * const explanation = await explain(model, image);
 * await writeFile('heatmap.png', await encodePng((await drawExplanation(image, explanation)).image));
 * ```
 * @throws UsageError for a class or part that is not there or options without effect, ModelError for a network without a classifier
 * or one whose gradients are not numbers
 */
export async function explain(
  model: LoadedModel,
  image: Image,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const { description, graph, source } = model;
  const { preprocessing, classes, classIds } = description;
  const { method = 'grad-cam' } = options;
  checkOptions(method, options);
  const input = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, input);
  const probabilities = (await model.probabilities(input)).data as Float32Array;
  const predicted = rank(probabilities, { classes, classIds, top: Math.min(5, classes.length) });
  const index = options.class === undefined ? predicted[0].index : findClass(options.class, description);
  const logitWeights = Float32Array.from({ length: graph.network.classes }, (_, at) =>
    at === index ? 1 : 0,
  );
  const common = {
    ...{ method, index, label: classes[index] as string, probability: probabilities[index] as number },
    ...{ predicted, box: seenBox(image, preprocessing) },
  };
  const notices: string[] = [];
  if (method === 'grad-cam') {
    const { part, skipped } = choosePart(graph, options.part);
    const map = gradCam(await model.gradient(input, { logitWeights, endpoint: part.name }));
    const top = checked(percentile(map, 1), source);
    if (skipped !== undefined)
      notices.push(`Grad-CAM of ${part.name}, ${part.height}×${part.width}: ${skipped}`);
    if (top === 0) notices.push(`nothing in ${part.name} speaks for '${common.label}': the map is zero`);
    return { ...common, part: part.name, map, top, notices };
  }
  const samples = method === 'smooth-grad' ? (options.samples ?? usualSamples) : 1;
  const gradients: HostTensor[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const images = method === 'smooth-grad' ? noisy(input, { preprocessing, sample }) : input;
    gradients.push((await model.gradient(images, { logitWeights })).gradient);
  }
  const map = saliency(gradients);
  checked(percentile(map, 1), source);
  const top = percentile(map, 0.99);
  if (top === 0) notices.push(`the gradient of '${common.label}' is zero at nearly every pixel`);
  return { ...common, ...(method === 'smooth-grad' && { samples }), map, top, notices };
}

function checkOptions(method: ExplanationMethod, { part, samples }: ExplainOptions): void {
  if (part !== undefined && method !== 'grad-cam')
    throw new UsageError(`part: has no effect with '${method}', which looks at the input`);
  if (samples === undefined) return;
  if (method !== 'smooth-grad') throw new UsageError(`samples: has no effect with '${method}'`);
  if (!Number.isSafeInteger(samples) || samples < 2)
    throw new UsageError(`samples: expected a whole number of at least 2, received ${samples}`);
}

/** NaN sorts last, so that the largest value shows it. @throws ModelError */
function checked(largest: number, source: string): number {
  if (Number.isFinite(largest)) return largest;
  throw new ModelError(`${source}: the gradients of this image are not numbers`);
}

/** The scaled input [1, h, w, c] with Gaussian noise: the same in every call. */
function noisy(
  input: Uint8Array,
  { preprocessing: { mean, std, channels = 3 }, sample }: { preprocessing: Preprocessing; sample: number },
): Float32Array {
  const scaled = Float32Array.from(input, (value, at) => {
    const channel = (at % channels) % 3;
    return (value / 255 - (mean[channel] as number)) / (std[channel] as number);
  });
  const [low, high] = scaled.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as [number, number],
  );
  const random = randomFor(sample, 0x5a11e);
  const deviation = noise * (high - low);
  return scaled.map((value) => value + deviation * gaussian(random));
}

/** Box and Muller; 1 − u is never 0. */
const gaussian = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
