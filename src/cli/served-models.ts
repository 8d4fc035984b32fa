/** The models of `inception serve`, from what is written on the command line. */
import { basename } from 'node:path';
import type { ClassifierOptions } from '../classifier/classifier.ts';
import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../errors.ts';
import type { Notices } from '../model/model-file.ts';
import { loadModel } from '../predict/load-model.ts';
import { serveLoadedModel } from '../server/models/libtorch-model.ts';
import { serveOnnxFile } from '../server/models/onnx-model.ts';
import type { ServedModel } from '../server/models/served-model.ts';
import { withLowerThreads } from '../server/priority.ts';
import { choosePrecision, type EngineOptions, openEngine } from './options/engine-options.ts';

export interface AskedModel {
  readonly name: string;
  readonly path: string;
}

/** `runs/photos` is called photos; `cats=runs/photos` is called cats. */
export function readModelArguments(args: readonly string[]): AskedModel[] {
  const asked = args.map((text) => {
    const [, own, path = text] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
    return { name: own ?? nameOf(path), path };
  });
  for (const [index, { name, path }] of asked.entries()) {
    if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(name))
      throw new UsageError(
        `'${name}' cannot be the name of a model: expected letters, digits, '.', '_' and '-'; NAME=${path} gives it one`,
      );
    if (asked.findIndex((each) => each.name === name) !== index)
      throw new UsageError(`two models are called '${name}'; NAME=${path} gives one of them another name`);
  }
  return asked;
}

const nameOf = (path: string): string =>
  basename(path.replace(/^hub:/, '').replace(/@[^@/]*$/, '')).replace(
    /\.(safetensors|onnx|h5|keras|pth|pt|ckpt)$/,
    '',
  );

export interface LoadedModels {
  readonly models: readonly ServedModel[];
  close(): Promise<void>;
}

/** Loads each; libtorch is started only if one needs it. */
export async function loadServedModels(
  asked: readonly AskedModel[],
  {
    values,
    batch,
    notices,
    classifier,
  }: {
    values: EngineOptions;
    batch: number | undefined;
    notices: Notices;
    /** What .onnx files do not say. */
    classifier: ClassifierOptions;
  },
): Promise<LoadedModels> {
  let engine: Engine | undefined;
  const models: ServedModel[] = [];
  const close = async () => {
    await engine?.close();
  };
  const load = async (path: string, name: string): Promise<ServedModel> => {
    if (path.endsWith('.onnx')) {
      const { threads } = values;
      return serveOnnxFile(path, { name, batch, classifier: { ...classifier, threads } });
    }
    engine ??= await openEngine(values);
    const precision = choosePrecision(values.precision, engine);
    const model = await loadModel(path, { engine, batch: 1, precision, ...notices });
    return serveLoadedModel(model, { name, batch });
  };
  try {
    for (const { name, path } of asked) models.push(await withLowerThreads(() => load(path, name)));
  } catch (error) {
    for (const model of models) await model.close();
    await close();
    throw error;
  }
  return { models, close };
}
