/**
 * ONNX Runtime, loaded on first use. Sessions belong to the main thread: sessions in several worker threads, and sessions opened
 * and released repeatedly, are known to crash or leak.
 */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { DeployError } from '../deploy-error.ts';

export type { InferenceSession, Tensor };

interface Runtime extends Pick<typeof OnnxRuntime, 'InferenceSession' | 'Tensor'> {
  readonly version: string;
}

/** Its install script only downloads CUDA libraries, and fails the installation if it cannot. */
export const installCommand = 'npm install --ignore-scripts onnxruntime-node';

let loading: Promise<Runtime> | undefined;

/** @throws DeployError saying what to install. */
export function loadRuntime(): Promise<Runtime> {
  loading ??= import('onnxruntime-node').then(
    ({ InferenceSession, Tensor }) => ({
      InferenceSession,
      Tensor,
      version: (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string })
        .version,
    }),
    (error: Error) => {
      throw new DeployError(
        `ONNX Runtime cannot be loaded (${error.message.split('\n')[0]}); install it with '${installCommand}' (Linux, macOS, Windows)`,
        { cause: error },
      );
    },
  );
  return loading;
}

export interface SessionOptions {
  /** Threads per operator. Default: all cores. */
  readonly threads?: number | undefined;
  /** Stop spinning threads after each run, for processes that take turns. Default: the runtime's own behaviour. */
  readonly spinOnlyInRuns?: boolean;
}

/** Opens a session for a model. @throws DeployError with the runtime's reason. */
export async function openSession(
  model: Uint8Array,
  { path, threads, spinOnlyInRuns = false }: SessionOptions & { path: string },
): Promise<InferenceSession> {
  const { InferenceSession: sessions } = await loadRuntime();
  try {
    return await sessions.create(model, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      // Errors are thrown as exceptions, and need no second text on standard error.
      logSeverityLevel: 4,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(spinOnlyInRuns && { extra: { session: { force_spinning_stop: '1' } } }),
    });
  } catch (error) {
    throw new DeployError(`${path}: ONNX Runtime refuses it: ${(error as Error).message}`, { cause: error });
  }
}
