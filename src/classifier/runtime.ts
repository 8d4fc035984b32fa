/**
 * Chooses the runtime of a MODEL; the only place that does. An .onnx file runs on ONNX Runtime. Everything else runs on libtorch, or,
 * if that is not installed, on ONNX Runtime as well, exported to ONNX in memory.
 */
import type { InferencePrecision } from '../compile/options.ts';
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
  /** Default `auto`: ONNX Runtime for .onnx files, otherwise libtorch if installed. */
  readonly runtime?: RuntimeName | 'auto';
  /** For libtorch. Default `auto`: CUDA if available. */
  readonly device?: Device | 'auto';
  /**
   * For libtorch. Default `auto`: int8 for an int8 model on the CPU, otherwise bfloat16 if the hardware supports it. ONNX Runtime computes
   * an int8 model in int8 or float32.
   */
  readonly precision?: InferencePrecision | 'auto';
  /** Threads per operator. Default: all cores. */
  readonly threads?: number | undefined;
  /** A shared engine, which stays open. Default: a new one. */
  readonly engine?: Engine;
}

/** The runtime in use, and why it was chosen. */
export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  /** `float32`, `bfloat16`, `float16`, `int8`; `unknown` for .onnx files from other tools. */
  readonly precision: string;
  readonly device: Device;
  readonly reason: string;
}

export const describeRuntime = ({ name, version, precision, device, reason }: Runtime): string =>
  `${name} ${version}, ${precision}${device === 'cpu' ? '' : `, ${device}`} (${reason})`;

export type Choice =
  | { readonly engine: Engine; readonly runtime: Runtime }
  | { readonly engine?: undefined; readonly runtime: Runtime };

/** The runtimes of one or more models that are used together. libtorch is started when the first model needs it. */
export class Runtimes {
  readonly #options: RuntimeOptions;
  #engine: Engine | EngineUnavailableError | undefined;

  /** @throws UsageError for options that do not apply to the models. */
  constructor(models: readonly string[], options: RuntimeOptions) {
    refuseImpossible(models, options);
    this.#options = options;
    this.#engine = options.engine;
  }

  /** @throws EngineUnavailableError if libtorch was requested or is required, but not installed. */
  async choose(model: string): Promise<Choice> {
    const { runtime: requested = 'auto', precision = 'auto', device = 'auto' } = this.#options;
    if (modelKind(model) === 'onnx') return onnxRuntime('an .onnx file');
    if (requested === 'ONNX Runtime') return onnxRuntime('asked for', 'float32');
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
          reason: requested === 'libtorch' ? 'asked for' : 'installed',
        },
      };
    }
    if (requested === 'libtorch' || precision === 'bfloat16' || device === 'cuda') throw engine;
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

  /** Closes the engine if it was opened here. */
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
      `runtime: ${files[0]} is an ONNX file, which only ONNX Runtime runs; received 'libtorch'`,
    );
  if (files.length === models.length && files.length > 0 && precision !== 'auto')
    throw new UsageError(
      `precision: the precision of an .onnx file is fixed by its export; received '${precision}'`,
    );
  if (files.length > 0 && device === 'cuda')
    throw new UsageError("device: an .onnx file runs on the CPU; received 'cuda'");
  if (runtime === 'ONNX Runtime' && precision === 'bfloat16')
    throw new UsageError("precision: weights run in float32 on ONNX Runtime; received 'bfloat16'");
  if (runtime === 'ONNX Runtime' && device === 'cuda')
    throw new UsageError("device: ONNX Runtime runs on the CPU here; received 'cuda'");
}
