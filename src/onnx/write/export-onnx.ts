/** Exports a model as an ONNX file in a given precision, and verifies the file before it gets its final name. */
import { writeFile } from 'node:fs/promises';
import type { Dataset } from '../../data/dataset.ts';
import { SkippedImages } from '../../data/skipped-images.ts';
import { UsageError } from '../../errors.ts';
import { inputBytes, preprocess } from '../../images/preprocess.ts';
import { syntheticImages } from '../../images/synthetic-images.ts';
import type { CalibrationMethod } from '../../int8/range-finding.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { replaceFile } from '../../replace-file.ts';
import { packageVersion } from '../../version.ts';
import { DeployError } from '../deploy-error.ts';
import { onnxMetadata } from '../model-metadata.ts';
import type { OnnxGraph } from '../onnx-graph.ts';
import { type OnnxPredictor, openOnnxPredictor } from '../run/onnx-predictor.ts';
import { validateModel } from '../run/validate-model.ts';
import { encodeModel } from './encode-model.ts';
import { toFloat16 } from './float16.ts';
import { type AccuracyReport, compareAccuracy } from './int8/accuracy.ts';
import { calibrate } from './int8/calibrate.ts';
import { planQuantisation, quantise, quantiseByRanges } from './int8/quantise.ts';
import { type GraphOptions, onnxGraphOf } from './onnx-graph-of.ts';
import { checkParity, type Parity, type ParityReference, parityTolerance } from './parity.ts';

export const onnxPrecisions = ['float32', 'float16', 'int8'] as const;
/** The precisions of ONNX files. */
export type OnnxPrecision = (typeof onnxPrecisions)[number];

/** Data for choosing int8's scales. */
export interface Calibration {
  readonly dataset: Dataset;
  readonly method: CalibrationMethod;
  /** Other images, to measure the accuracy of int8. */
  readonly test: Dataset;
  readonly onProgress?: (done: number, total: number) => void;
  /** Called once for each image of either set that cannot be used, with its name in the message; it is left out. */
  readonly onBroken?: (error: Error) => void;
  /** Called with how the classes of the test images were matched to the model's, where that was not by name. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** What is written, and what it is compared with. */
export interface ExportOnnxOptions extends GraphOptions {
  readonly output: string;
  /** Default 'float32'. */
  readonly precision?: OnnxPrecision;
  /** For 'int8'. Required for a model without ranges of its own. */
  readonly calibration?: Calibration | undefined;
  /** Another engine with the same model, for comparison. */
  readonly reference?: ParityReference | undefined;
  readonly threads?: number | undefined;
}

/** What was written, and how near its numbers are. */
export interface OnnxReport {
  readonly file: string;
  readonly bytes: number;
  readonly nodes: number;
  readonly precision: OnnxPrecision;
  /** Undefined without a reference. */
  readonly parity: Parity | undefined;
  /** For int8. */
  readonly accuracy: AccuracyReport | undefined;
}

/** Number of images for the comparison. */
const parityImageCount = 4;

/**
 * Writes a model as an ONNX file and compares it, on ONNX Runtime, with `reference`.
 * @throws DeployError if ONNX Runtime refuses the file or its outputs differ; no file is then left behind.
 */
export async function exportOnnx(model: ModelFile, options: ExportOnnxOptions): Promise<OnnxReport> {
  const { output, precision = 'float32', classActivation, features } = options;
  if (classActivation && precision === 'int8')
    throw new UsageError('classActivation: is not made of int8 weights; expected float32 or float16');
  if (features && precision === 'int8')
    throw new UsageError('features: are not made of int8 weights; expected float32 or float16');
  const float32 = await onnxGraphOf(model, options);
  const encode = (graph: OnnxGraph, filePrecision: OnnxPrecision) =>
    encodeModel({
      graph,
      metadata: metadataOf(model, options, filePrecision),
      producerVersion: packageVersion,
    });
  const graph = await inPrecision(float32, { model, options });
  const bytes = encode(graph, precision);
  const checks = await replaceFile(output, async (temporary) => {
    await writeFile(temporary, bytes);
    return checkFile(bytes, { model, options, float32: () => encode(float32, 'float32') });
  });
  return { file: output, bytes: bytes.length, nodes: graph.nodes.length, precision, ...checks };
}

const metadataOf = (
  { description }: ModelFile,
  { input = 'float32', softmax = false }: ExportOnnxOptions,
  precision: OnnxPrecision,
) => onnxMetadata(description, { input, softmax, precision });

async function inPrecision(
  graph: OnnxGraph,
  { model, options }: { model: ModelFile; options: ExportOnnxOptions },
): Promise<OnnxGraph> {
  const { precision, calibration, threads } = options;
  if (precision === 'float16') return toFloat16(graph);
  if (precision !== 'int8') return graph;
  const { int8 } = model.description;
  if (!calibration && int8) return quantiseByRanges(graph, int8.ranges);
  if (!calibration)
    throw new DeployError(`${options.output}: int8 needs images for calibration; received none`);
  const plan = planQuantisation(graph);
  const { preprocessing } = model.description;
  const ranges = await calibrate(graph, plan.values, {
    ...calibration,
    preprocessing,
    threads,
    onBroken: (_, error) => calibration.onBroken?.(error),
  });
  return quantise(graph, { plan, ranges });
}

interface Verification {
  readonly model: ModelFile;
  readonly options: ExportOnnxOptions;
  /** Encodes the same model in float32. */
  readonly float32: () => Uint8Array;
}

/** Validates and opens the file like any other, and compares outputs. */
async function checkFile(
  bytes: Uint8Array,
  verification: Verification,
): Promise<Pick<OnnxReport, 'parity' | 'accuracy'>> {
  const { output: path, softmax = false, threads } = verification.options;
  const { preprocessing } = verification.model.description;
  validateModel(bytes, path);
  const predictor = await openOnnxPredictor(bytes, { path, preprocessing, softmax, threads });
  try {
    return {
      parity: await parityOf(predictor, verification),
      accuracy: await accuracyOf(predictor, verification),
    };
  } finally {
    await predictor.release();
  }
}

async function parityOf(
  predictor: OnnxPredictor,
  { model, options }: Verification,
): Promise<Parity | undefined> {
  const { output: path, precision = 'float32', softmax = false, reference, calibration } = options;
  if (!reference) return undefined;
  const { preprocessing } = model.description;
  // int8's ranges are chosen for real images, so that it is compared on real ones.
  const images = calibration
    ? await firstImages(calibration.test, model)
    : syntheticImages(preprocessing, parityImageCount);
  return checkParity(images, {
    file: { path, outputs: predictor.outputs },
    reference,
    softmax,
    count: images.length / inputBytes(preprocessing),
    within: parityTolerance[precision],
  });
}

async function firstImages(dataset: Dataset, { description: { preprocessing } }: ModelFile) {
  const bytes = inputBytes(preprocessing);
  const images = new Uint8Array(Math.min(parityImageCount, dataset.length) * bytes);
  // The accuracy on all of them, which comes later, names those that cannot be used.
  const skipped = new SkippedImages(dataset);
  let count = 0;
  for (let index = 0; index < dataset.length && count * bytes < images.length; index++) {
    const image = await skipped.read(index);
    if (image) preprocess(image, preprocessing, images, count++ * bytes);
  }
  return images.subarray(0, count * bytes);
}

async function accuracyOf(
  predictor: OnnxPredictor,
  { model: { description }, options, float32 }: Verification,
): Promise<AccuracyReport | undefined> {
  const { output: path, softmax = false, threads, calibration, precision } = options;
  if (precision !== 'int8' || !calibration || description.classes.length === 0) return undefined;
  const { preprocessing } = description;
  return compareAccuracy(calibration.test, {
    float32: float32(),
    other: predictor,
    description,
    onBroken: (_, error) => calibration.onBroken?.(error),
    onNotice: calibration.onNotice,
    path,
    preprocessing,
    softmax,
    threads,
  });
}
