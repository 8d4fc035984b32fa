/** Opens MODELs for prediction, each with the runtime chosen for it. */
import type { Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { chooseInferencePrecision } from '../predict/choose-inference-precision.ts';
import { openModel } from '../predict/open-model.ts';
import { applyOverrides } from './apply-overrides.ts';
import type { ModelOverrides, PredictingModel } from './predicting-model.ts';
import { runByLibtorch } from './run-by-libtorch.ts';
import { openByOnnx } from './run-by-onnx.ts';
import { describeRuntime, type Runtime, type RuntimeOptions, Runtimes } from './runtime.ts';

export interface OpenModelsOptions extends RuntimeOptions, Notices {
  /** Batch size. */
  readonly batch: number;
  /** Batch size of .onnx files of other tools, whose memory per image is not known. Default: `batch`. */
  readonly foreignBatch?: number;
  /** Batch size of the program that libtorch compiles at once; others are compiled on demand. Default: `batch`. */
  readonly compiledBatch?: number;
  /** Overrides for each model. */
  readonly overridesOf?: (path: string) => ModelOverrides | undefined;
}

export interface RunningModel extends PredictingModel {
  readonly runtime: Runtime;
  /** What the caller said its outputs are, where anything was said. */
  readonly probabilities?: boolean;
}

export interface OpenModels {
  readonly models: readonly RunningModel[];
  close(): Promise<void>;
}

/**
 * Opens all of them, or none.
 * @throws UsageError, ModelError, WeightsError, HubError, DeployError or EngineError naming the model and the problem.
 */
export async function openModels(paths: readonly string[], options: OpenModelsOptions): Promise<OpenModels> {
  const runtimes = new Runtimes(paths, options);
  const models: RunningModel[] = [];
  const close = async () => {
    for (const model of models.splice(0)) await model.release();
    await runtimes.close();
  };
  try {
    for (const path of paths) {
      const model = await open(path, { ...options, runtimes });
      models.push(model);
      if (isSubstitute(path, model.runtime, options))
        options.onNotice?.(`${model.source}: ${describeRuntime(model.runtime)}`);
    }
    return { models: [...models], close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** ONNX Runtime in the place of libtorch, which nobody asked for: what one expects needs no notice. */
const isSubstitute = (path: string, { name }: Runtime, { runtime }: OpenModelsOptions): boolean =>
  name !== 'libtorch' && name !== runtime && modelKind(path) !== 'onnx';

async function open(
  path: string,
  {
    runtimes,
    overridesOf,
    batch,
    compiledBatch = batch,
    ...options
  }: OpenModelsOptions & { runtimes: Runtimes },
): Promise<RunningModel> {
  const { engine, runtime } = await runtimes.choose(path);
  const overrides = overridesOf?.(path);
  if (!engine) {
    const model = await openByOnnx(path, { ...options, batch, overrides });
    const { probabilities } = overrides ?? {};
    return {
      ...model,
      runtime: { ...runtime, precision: model.precision ?? 'unknown' },
      ...(probabilities !== undefined && { probabilities }),
    };
  }
  const model = await openModel(path, options);
  try {
    const precision = chooseInferencePrecision(options.precision ?? 'auto', model, engine.facts);
    const overridden = applyOverrides(model, overrides);
    return {
      ...(await runByLibtorch(overridden, { engine, precision, batch, compiledBatch })),
      runtime: { ...runtime, precision },
    };
  } finally {
    await model.close();
  }
}
