/** A trained model from its run folder, or from the `model.safetensors` that a run leaves. */
import { stat } from 'node:fs/promises';
import type { Precision } from '../compile/options.ts';
import type { Engine } from '../engine/engine.ts';
import { isStatistic, type Parameter, parametersOf } from '../graph/graph.ts';
import { openSafetensors, type SafetensorsFile } from '../weights/safetensors.ts';
import { type Configuration, parseConfiguration, RunError } from './configuration.ts';
import { RunFolder } from './run-folder.ts';
import { planPredictor, type TorchPredictor } from './torch-predictor.ts';
import { graphOf } from './train.ts';

export interface LoadedModel {
  readonly configuration: Configuration;
  /** What was read: `runs/first/model.safetensors`. */
  readonly source: string;
  readonly predictor: TorchPredictor;
}

/**
 * Loads a model for prediction.
 * @throws RunError or SafetensorsError saying what is missing in which file.
 */
export async function loadModel(
  path: string,
  { engine, batch, precision }: { engine: Engine; batch: number; precision: Precision },
): Promise<LoadedModel> {
  const { file, source, prefix } = await openParameters(path);
  try {
    const configuration = await configurationOf(path, file, source);
    const graph = graphOf(configuration);
    const plan = planPredictor(graph, { batch, precision });
    const store = await engine.createStore(plan.spec);
    for (const parameter of parametersOf(graph)) {
      await store.write(parameter.name, await readParameter(file, { parameter, prefix, source }));
    }
    const predictor = await plan.open(engine, store);
    await predictor.refresh();
    return { configuration, source, predictor };
  } finally {
    await file.close();
  }
}

/** The model of a finished evaluation; of a run that has had none, the averages of its newest checkpoint. */
async function openParameters(
  path: string,
): Promise<{ file: SafetensorsFile; source: string; prefix: string }> {
  const about = await stat(path).catch(() => undefined);
  if (!about) throw new RunError(`${path}: there is no such run folder or .safetensors file`);
  if (about.isFile()) return { file: await openSafetensors(path), source: path, prefix: '' };
  const folder = new RunFolder(path);
  const model = folder.file('model.safetensors');
  if (await stat(model).catch(() => undefined))
    return { file: await openSafetensors(model), source: model, prefix: '' };
  const [newest] = await folder.checkpoints();
  if (newest === undefined) throw new RunError(`${path}: neither a model nor a checkpoint is in this folder`);
  const source = folder.checkpoint(newest);
  return { file: await openSafetensors(source), source, prefix: 'averages/' };
}

async function configurationOf(path: string, file: SafetensorsFile, source: string): Promise<Configuration> {
  const stored = file.metadata.get('configuration');
  if (stored !== undefined) return parseConfiguration(stored, `${source} (metadata)`);
  const folder = new RunFolder(path);
  if (await folder.exists()) return folder.configuration();
  throw new RunError(`${source}: its metadata have no configuration; a model of 'inception train' has one`);
}

async function readParameter(
  file: SafetensorsFile,
  { parameter, prefix, source }: { parameter: Parameter; prefix: string; source: string },
): Promise<Float32Array> {
  const name = isStatistic(parameter) ? parameter.name : prefix + parameter.name;
  const { dtype, shape, data } = await file.read(name);
  if (dtype !== 'F32' || shape.join() !== parameter.shape.join()) {
    throw new RunError(
      `${source}: '${name}': expected F32 [${parameter.shape.join(', ')}], received ${dtype} [${shape.join(', ')}]`,
    );
  }
  return data as Float32Array;
}
