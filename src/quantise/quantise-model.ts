/** Writes a model as an int8 model: the same weights, and the ranges of the activations as they are on images. */
import { stat } from 'node:fs/promises';
import type { Dataset } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { parametersOf } from '../graph/graph.ts';
import type { Int8Ranges } from '../int8/quantisation.ts';
import type { ModelDescription } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import { writeModel } from '../model/write-model.ts';
import type { Calibration } from '../onnx/write/export-onnx.ts';
import { type AccuracyReport, compareClasses } from '../onnx/write/int8/accuracy.ts';
import { calibrate } from '../onnx/write/int8/calibrate.ts';
import { planQuantisation, sharedRangesOf } from '../onnx/write/int8/quantise.ts';
import { onnxGraphOf } from '../onnx/write/onnx-graph-of.ts';
import { type LoadedModel, loadModel } from '../predict/load-model.ts';

export interface QuantiseOptions extends Calibration {
  readonly output: string;
  /** Compares the int8 model with float32. */
  readonly engine: Engine;
}

export interface QuantiseReport {
  readonly file: string;
  readonly bytes: number;
  /** How many values have a range. */
  readonly values: number;
  /** Undefined for a network without a classifier. */
  readonly accuracy: AccuracyReport | undefined;
}

/** The ranges of a model's activations on images: those of its int8 export. */
export async function findRanges(
  model: ModelFile,
  { dataset, method, onProgress, onBroken, threads }: Omit<Calibration, 'test'> & { threads?: number },
): Promise<Int8Ranges> {
  const graph = await onnxGraphOf(model);
  const plan = planQuantisation(graph);
  let broken = 0;
  const found = await calibrate(graph, plan.values, {
    dataset,
    method,
    preprocessing: model.description.preprocessing,
    threads,
    onProgress,
    onBroken: (_, error) => {
      broken++;
      onBroken?.(error);
    },
  });
  const ranges = [...sharedRangesOf(plan, found)].map(
    ([name, { low, high }]) => [name, [low, high]] as const,
  );
  return {
    method,
    data: dataset.name,
    images: dataset.length - broken,
    ranges: Object.fromEntries(ranges),
  };
}

/**
 * Writes the int8 model and compares it with float32 on other images.
 * @throws ModelError, DataError or WeightsError; no file is then left behind, unless one was there before
 */
export async function quantiseModel(model: ModelFile, options: QuantiseOptions): Promise<QuantiseReport> {
  const { output, engine } = options;
  const int8 = await findRanges(model, { ...options, threads: engine.facts.threads });
  const description: ModelDescription = { ...model.description, int8 };
  // Before the file is written: what cannot be computed is not kept.
  const accuracy = await accuracyOf({ ...model, description }, options);
  await writeModel(output, { description, read: model.read, parameters: parametersOf(model.graph) });
  const { size } = await stat(output);
  return { file: output, bytes: size, values: Object.keys(int8.ranges).length, accuracy };
}

async function accuracyOf(
  model: ModelFile,
  { engine, test, onBroken, onNotice, output }: QuantiseOptions,
): Promise<AccuracyReport | undefined> {
  const open: LoadedModel[] = [];
  const load = async (precision: 'float32' | 'int8') => {
    const loaded = await loadModel(model, { engine, precision, batch: comparedAtOnce(test) });
    open.push(loaded);
    return loaded.predictor;
  };
  try {
    const received = await load('int8');
    if (model.description.classes.length === 0) return undefined;
    return await compareClasses(test, {
      expected: await load('float32'),
      received,
      preprocessing: model.description.preprocessing,
      description: model.description,
      path: output,
      onBroken: (_, error) => onBroken?.(error),
      onNotice,
    });
  } finally {
    for (const loaded of open) loaded.release();
  }
}

const comparedAtOnce = ({ length }: Dataset): number => Math.max(1, Math.min(16, length));
