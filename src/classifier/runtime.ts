/**
 * Which runtime computes a MODEL: the one place that decides. An .onnx file runs on ONNX Runtime; everything else on libtorch,
 * and where libtorch is not installed on ONNX Runtime as well, written as ONNX in memory.
 */
import type { Precision } from '../compile/options.ts';
import { type Device, type Engine, EngineUnavailableError } from '../engine/engine.ts';
import { choosePrecision } from '../engine/precision.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import { modelKind } from '../model/model-kind.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import { loadRuntime } from '../onnx/run/runtime.ts';

/** What can compute a model. */
export type RuntimeName = 'libtorch' | 'ONNX Runtime';

/** Which runtime computes, and how. */
export interface RuntimeOptions {
  /** Default `auto`: ONNX Runtime for .onnx files, libtorch for the rest where it is installed. */
  readonly runtime?: RuntimeName | 'auto';
  /** Of libtorch. Default `auto`: CUDA where it is. */
  readonly device?: Device | 'auto';
  /** Of libtorch. Default `auto`: bfloat16 where the hardware has it. */
  readonly precision?: Precision | 'auto';
  /** Threads of one operator. Default: every core. */
  readonly threads?: number | undefined;
  /** An engine to share; it stays open. Default: one of its own. */
  readonly engine?: Engine;
}

/** What computes, and why it was chosen. */
export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  /** `float32`, `bfloat16`, `float16`, `int8`; of other people's .onnx files `unknown`. */
  readonly precision: string;
  readonly device: Device;
  readonly reason: string;
}

export const describeRuntime = ({ name, version, precision, device, reason }: Runtime): string =>
  `${name} ${version}, ${precision}${device === 'cpu' ? '' : `, ${device}`} (${reason})`;

export type Choice =
  | { readonly engine: Engine; readonly runtime: Runtime }
  | { readonly engine?: undefined; readonly runtime: Runtime };

/** The runtimes of one or several models that are used together. libtorch is started when the first model needs it. */
export class Runtimes {
  readonly #options: RuntimeOptions;
  #engine: Engine | EngineUnavailableError | undefined;

  /** @throws UsageError for options that not one of the models, or not every one, can follow. */
  constructor(models: readonly string[], options: RuntimeOptions) {
    refuseImpossible(models, options);
    this.#options = options;
    this.#engine = options.engine;
  }

  /** @throws EngineUnavailableError where libtorch was asked for, or is needed for what was asked for. */
  async choose(model: string): Promise<Choice> {
    const { runtime: asked = 'auto', precision = 'auto', device = 'auto' } = this.#options;
    if (modelKind(model) === 'onnx') return onnxRuntime('an .onnx file');
    if (asked === 'ONNX Runtime') return onnxRuntime('asked for', 'float32');
    this.#engine ??= open(this.#options);
    const engine = this.#engine;
    if (!(engine instanceof EngineUnavailableError)) {
      const { facts } = engine;
      return {
        engine,
        runtime: {
          name: 'libtorch',
          version: facts.libtorch,
          precision: choosePrecision(precision, facts),
          device: facts.device,
          reason: asked === 'libtorch' ? 'asked for' : 'installed',
        },
      };
    }
    if (asked === 'libtorch' || precision === 'bfloat16' || device === 'cuda') throw engine;
    try {
      return await onnxRuntime(engine.message, 'float32');
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      throw new EngineUnavailableError(
        `${model} cannot be computed here: ${engine.message}; ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  /** Closes the engine that was opened for these models. */
  async close(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    if (engine && engine !== this.#options.engine && !(engine instanceof EngineUnavailableError))
      await engine.close();
  }
}

async function onnxRuntime(reason: string, precision = 'unknown'): Promise<Choice> {
  const { version } = await loadRuntime();
  return { runtime: { name: 'ONNX Runtime', version, precision, device: 'cpu', reason } };
}

function open({ device = 'auto', threads }: RuntimeOptions): Engine | EngineUnavailableError {
  try {
    return openTorch({ device, ...(threads !== undefined && { threads }) });
  } catch (error) {
    if (error instanceof EngineUnavailableError) return error;
    throw error;
  }
}

function refuseImpossible(
  models: readonly string[],
  { runtime = 'auto', precision = 'auto', device = 'auto' }: RuntimeOptions,
): void {
  const files = models.filter((model) => modelKind(model) === 'onnx');
  if (runtime === 'libtorch' && files.length > 0)
    throw new UsageError(
      `runtime: ${files[0]} is an ONNX file, which ONNX Runtime runs; received 'libtorch'`,
    );
  if (files.length === models.length && files.length > 0 && precision !== 'auto')
    throw new UsageError(
      `precision: an .onnx file has the one that it was exported in; received '${precision}'`,
    );
  if (files.length > 0 && device === 'cuda')
    throw new UsageError("device: an .onnx file runs on the CPU; received 'cuda'");
  if (runtime === 'ONNX Runtime' && precision === 'bfloat16')
    throw new UsageError("precision: weights run in float32 on ONNX Runtime; received 'bfloat16'");
  if (runtime === 'ONNX Runtime' && device === 'cuda')
    throw new UsageError("device: ONNX Runtime runs on the CPU here; received 'cuda'");
}
