/** MODELs for prediction: an .onnx file runs on ONNX Runtime, anything else on libtorch, which is opened only for it. */

import { type ClassifierOptions, loadClassifier } from '../classifier/classifier.ts';
import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { graphOf, type ModelDescription } from '../model/description.ts';
import type { Notices } from '../model/model-file.ts';
import { loadRuntime } from '../onnx/run/runtime.ts';
import { loadModel } from '../predict/load-model.ts';
import type { Predictor } from '../predict/predict-images.ts';
import { choosePrecision, type EngineOptions, openEngine } from './options/engine-options.ts';

export interface PredictingModel {
  /** An .onnx file of other people's does not say what network it is. */
  readonly description: Omit<ModelDescription, 'network' | 'options'> & Partial<ModelDescription>;
  readonly graph?: Graph;
  readonly source: string;
  readonly predictor: Predictor;
}

export interface OpenModels {
  readonly models: readonly PredictingModel[];
  /** What computes, by its name, with its version; and the precisions. */
  readonly about: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const isOnnx = (path: string): boolean => path.endsWith('.onnx');

/** Opens them all, or none. @throws what is wrong with which */
export async function openModels(
  paths: readonly string[],
  {
    batch,
    values,
    notices,
    classifier = {},
  }: {
    batch: number;
    values: EngineOptions;
    notices: Notices;
    /** What .onnx files do not say. */
    classifier?: ClassifierOptions;
  },
): Promise<OpenModels> {
  if (paths.some(isOnnx)) refuseEngineOptions(paths, values);
  let engine: Engine | undefined;
  const closings: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of closings.splice(0)) await each();
  };
  const precisions = new Set<string>();
  const about: Record<string, string> = {};
  try {
    const models: PredictingModel[] = [];
    for (const path of paths) {
      if (isOnnx(path)) {
        const { model, precision, release } = await openOnnx(path, {
          ...classifier,
          batch,
          threads: values.threads,
        });
        closings.push(release);
        precisions.add(precision);
        about.onnxRuntime = (await loadRuntime()).version;
        models.push(model);
        continue;
      }
      if (!engine) {
        engine = await openEngine(values);
        closings.push(engine.close.bind(engine));
        about.libtorch = engine.facts.libtorch;
      }
      const precision = choosePrecision(values.precision, engine);
      precisions.add(precision);
      models.push(await loadModel(path, { engine, batch, precision, ...notices }));
    }
    return { models, about: { precision: [...precisions].join(', '), ...about }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseEngineOptions(paths: readonly string[], { precision, device }: EngineOptions): void {
  const only = paths.every(isOnnx);
  if (only && precision !== 'auto')
    throw new UsageError(
      `--precision: an .onnx file has the one that it was exported in; received '${precision}'`,
    );
  if (device === 'cuda') throw new UsageError("--device: an .onnx file runs on the CPU; received 'cuda'");
}

async function openOnnx(path: string, options: ClassifierOptions) {
  const { description, classes, preprocessing, predictor, precision, release } = await loadClassifier(
    path,
    options,
  );
  const model: PredictingModel = {
    description: { ...description, classes, preprocessing },
    ...(description && { graph: graphOf(description) }),
    source: path,
    predictor,
  };
  return { model, precision: precision ?? 'unknown', release };
}
