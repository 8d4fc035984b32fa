/** Runs a model of any kind with ONNX Runtime, without libtorch. */
import { readFile } from 'node:fs/promises';
import type { InferencePrecision } from '../compile/options.ts';
import { lfsPointerProblem } from '../git-lfs.ts';
import { graphOf } from '../model/description.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import { describedBy, statedSoftmax } from '../onnx/model-metadata.ts';
import { measureGraph } from '../onnx/run/measure-graph.ts';
import { openOnnxPredictor } from '../onnx/run/onnx-predictor.ts';
import { readGraph } from '../onnx/run/read-graph.ts';
import type { SessionOptions } from '../onnx/run/runtime.ts';
import { softmaxOutputs } from '../onnx/run/softmax-outputs.ts';
import { validateModel } from '../onnx/run/validate-model.ts';
import { encodeModel } from '../onnx/write/encode-model.ts';
import { quantiseByRanges } from '../onnx/write/int8/quantise.ts';
import { onnxGraphOf } from '../onnx/write/onnx-graph-of.ts';
import { writtenOperators } from '../onnx/written-operators.ts';
import { requireRanges } from '../predict/choose-inference-precision.ts';
import { openModel } from '../predict/open-model.ts';
import { packageVersion } from '../version.ts';
import { applyOverrides, labelsFor, preprocessingFor } from './apply-overrides.ts';
import { openOnnxProcess } from './onnx-process/onnx-process.ts';
import type { ModelOverrides, PredictingModel } from './predicting-model.ts';

export interface OnnxRunOptions extends SessionOptions, Notices {
  readonly overrides?: ModelOverrides | undefined;
  /** Of weights; bfloat16 is refused before. Default `auto`: int8 for an int8 model, otherwise float32. */
  readonly precision?: InferencePrecision | 'auto' | undefined;
  /** Batch size. Default 16. */
  readonly batch?: number | undefined;
  /** Batch size of a file that was not written here. Default: `batch`. */
  readonly foreignBatch?: number | undefined;
  /** Whether this process may be ended: otherwise a file that was not written here gets a process of its own. Default false. */
  readonly isolated?: boolean;
}

/**
 * Opens an .onnx file, or any weights, which are exported to ONNX in memory.
 * @throws DeployError, ModelError or WeightsError naming the file and the problem.
 */
export async function openByOnnx(path: string, options: OnnxRunOptions = {}): Promise<PredictingModel> {
  if (modelKind(path) === 'onnx') return runFile(path, options);
  const model = await openModel(path, options);
  try {
    return await runWeights(applyOverrides(model, options.overrides), options);
  } finally {
    await model.close();
  }
}

/** Multiplications for an image, a hundred times those of Inception-v4: more than a few seconds need a process that can be ended. */
const maxOwnWork = 1e12;

/** The file is validated before ONNX Runtime loads it. */
async function runFile(path: string, options: OnnxRunOptions): Promise<PredictingModel> {
  const { overrides = {}, isolated = false, ...session } = options;
  const bytes = await readBytes(path);
  const { metadata, operators } = validateModel(bytes, path);
  const description = describedBy(metadata, path);
  const requested = preprocessingFor(path, { ...description?.preprocessing, ...overrides.preprocessing });
  const graph = readGraph(bytes, path);
  const { work = Number.POSITIVE_INFINITY } = measureGraph(graph, { path, size: requested.size });
  // Metadata alone can be copied into any file.
  const isOwn =
    description !== undefined &&
    work <= maxOwnWork &&
    [...operators].every((operator) => writtenOperators.has(operator));
  if (!isOwn && !isolated) return runIsolated(path, options);
  const { preprocessing, ...predictor } = await openOnnxPredictor(bytes, {
    ...session,
    path,
    preprocessing: requested,
    softmax: overrides.probabilities ?? statedSoftmax(metadata),
    softmaxOutputs: softmaxOutputs(graph),
  });
  const outputs = predictor.classes;
  const { onNotice } = options;
  const labels = labelsFor(description, { overrides, source: path, outputs, onNotice });
  const { classIds: _, ...described } = description ?? {};
  return {
    description: { ...described, ...labels, preprocessing },
    ...(description && { graph: graphOf(description) }),
    source: path,
    precision: metadata.get('precision'),
    predictor,
    release: predictor.release,
  };
}

/** A file that anybody may have written computes in a process that can be ended. */
async function runIsolated(
  path: string,
  { overrides, threads, batch = 16, foreignBatch = batch, onNotice }: OnnxRunOptions,
): Promise<PredictingModel> {
  const onnx = await openOnnxProcess(path, {
    overrides,
    threads,
    limitMemory: true,
    onReplaced: (reason) => onNotice?.(`${reason}; another one takes its place`),
  });
  const { description, source, precision, outputs, notices } = onnx.facts;
  for (const line of notices) onNotice?.(line);
  const { network, options } = description;
  return {
    description,
    ...(network !== undefined && options && { graph: graphOf({ ...description, network, options }) }),
    source,
    precision,
    predictor: { batch: foreignBatch, classes: outputs, predict: onnx.predict, outputs: onnx.outputs },
    release: () => onnx.close(),
  };
}

async function runWeights(
  model: ModelFile,
  { precision = 'auto', ...session }: OnnxRunOptions,
): Promise<PredictingModel> {
  const { description, graph, source } = model;
  if (precision === 'int8') requireRanges(model);
  const ranges = precision === 'float32' ? undefined : description.int8?.ranges;
  const float32 = await onnxGraphOf(model);
  const bytes = encodeModel({
    graph: ranges ? quantiseByRanges(float32, ranges) : float32,
    metadata: {},
    producerVersion: packageVersion,
  });
  const { preprocessing } = description;
  const predictor = await openOnnxPredictor(bytes, {
    ...session,
    path: source,
    preprocessing,
    softmax: false,
  });
  const computed = ranges ? 'int8' : 'float32';
  return { description, graph, source, precision: computed, predictor, release: predictor.release };
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    const problem = lfsPointerProblem(bytes);
    if (problem !== undefined) throw new DeployError(`${path}: ${problem}`);
    return bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DeployError(`${path}: no such file; 'inception export MODEL -o ${path}' writes one`);
  }
}
