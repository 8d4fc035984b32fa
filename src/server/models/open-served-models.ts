/** MODELs of any kind for the server, each computed by the runtime that is chosen for it. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { applyOverrides } from '../../classifier/apply-overrides.ts';
import type { ModelOverrides } from '../../classifier/predicting-model.ts';
import { describeRuntime, type RuntimeOptions, Runtimes } from '../../classifier/runtime.ts';
import { UsageError } from '../../errors.ts';
import type { Notices } from '../../model/model-file.ts';
import { modelKind } from '../../model/model-kind.ts';
import { chooseInferencePrecision, requireRanges } from '../../predict/choose-inference-precision.ts';
import { loadModel } from '../../predict/load-model.ts';
import { openModel } from '../../predict/open-model.ts';
import { withLowerThreads } from '../priority.ts';
import { serveLoadedModel } from './libtorch-model.ts';
import { serveByOnnx } from './onnx-model.ts';
import type { ServedModel } from './served-model.ts';

/** A model and what it is called in addresses. */
export interface NamedModel {
  readonly name: string;
  /** A run folder, a file, or `hub:owner/name`. */
  readonly path: string;
}

/**
 * `runs/photos` is called photos, `hub:timm/inception_v4.tf_in1k` inception_v4.tf_in1k, `epoch=3.onnx` epoch-3: what cannot stand
 * in an address becomes a hyphen.
 */
export const usualName = (path: string): string =>
  basename(path.replace(/^hub:/, '').replace(/@[^@/]*$/, ''))
    .replace(/\.(safetensors|onnx|h5|keras|pth|pt|ckpt)$/i, '')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);

/** `runs/photos` is served as photos, `cats=runs/photos` as cats. A file of that whole name comes first: `epoch=3.onnx`. */
export function namedModel(argument: string, isFile: (path: string) => boolean = existsSync): NamedModel {
  const [, name, path = argument] = /^([^=/]+)=(.+)$/.exec(argument) ?? [];
  if (name === undefined || isFile(argument)) return { name: usualName(argument), path: argument };
  return { name, path };
}

/** @throws UsageError for a name that cannot stand in an address, or that two models have. */
export function checkNames(models: readonly NamedModel[]): void {
  for (const [index, { name, path }] of models.entries()) {
    if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(name))
      throw new UsageError(
        `'${name}' cannot be the name of a model: expected letters, digits, '.', '_' and '-'; NAME=${path} gives it one`,
      );
    if (models.findIndex((each) => each.name === name) !== index)
      throw new UsageError(`two models are called '${name}'; NAME=${path} gives one of them another name`);
  }
}

/** How models are opened for a server. */
export interface ServedModelsOptions extends RuntimeOptions, Notices {
  /** Images of one batch at most. Default: measured for each model. */
  readonly batch?: number | undefined;
  /** Labels, preprocessing and the like that replace a model's own, by its path. */
  readonly overridesOf?: (path: string) => ModelOverrides | undefined;
}

/** Models that are ready to be served, and what they share. */
export interface ServedModels {
  readonly models: readonly ServedModel[];
  /** Closes what the models share; the server closes the models. */
  close(): Promise<void>;
}

/** Opens them all, or none; libtorch is started only if one needs it. @throws as `loadClassifier` */
export async function openServedModels(
  named: readonly NamedModel[],
  options: ServedModelsOptions,
): Promise<ServedModels> {
  checkNames(named);
  const paths = named.map(({ path }) => path);
  const runtimes = new Runtimes(paths, options);
  const models: ServedModel[] = [];
  try {
    for (const each of named)
      models.push(await withLowerThreads(() => openServed(each, { ...options, runtimes })));
  } catch (error) {
    for (const model of models) await model.close();
    await runtimes.close();
    throw error;
  }
  return { models, close: () => runtimes.close() };
}

async function openServed(
  { name, path }: NamedModel,
  {
    runtimes,
    overridesOf,
    batch,
    threads,
    precision: requested = 'auto',
    ...notices
  }: ServedModelsOptions & { runtimes: Runtimes },
): Promise<ServedModel> {
  const { engine, runtime } = await runtimes.choose(path);
  const about = { runtime: describeRuntime(runtime) };
  const overrides = overridesOf?.(path);
  if (modelKind(path) === 'onnx')
    return {
      ...(await serveByOnnx(path, { name, batch, threads, overrides, onNotice: notices.onNotice })),
      ...about,
    };
  // Downloaded, where it is on a hub, before a process of its own opens it.
  const model = await openModel(path, notices);
  try {
    if (!engine) {
      if (requested === 'int8') requireRanges(model);
      const precision = requested !== 'float32' && model.description.int8 ? 'int8' : 'float32';
      return {
        ...(await serveByOnnx(path, { name, batch, threads, overrides, precision })),
        runtime: describeRuntime({ ...runtime, precision }),
      };
    }
    const precision = chooseInferencePrecision(requested, model, engine.facts);
    const loaded = await loadModel(applyOverrides(model, overrides), { engine, precision, batch: 1 });
    return {
      ...(await serveLoadedModel(loaded, { name, batch })),
      runtime: describeRuntime({ ...runtime, precision }),
    };
  } finally {
    await model.close();
  }
}
