/**
 * ONNX Runtime, loaded when it is first needed. Sessions belong to the main thread: several worker threads with sessions
 * of their own, and sessions opened and released over and over, are known to crash it or to leak.
 */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { DeployError } from '../deploy-error.ts';

export type { InferenceSession, Tensor };

interface Runtime extends Pick<typeof OnnxRuntime, 'InferenceSession' | 'Tensor'> {
  readonly version: string;
}

/** Its install script only downloads libraries for CUDA, and ends the installation where it cannot. */
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
        `ONNX Runtime cannot be loaded (${error.message.split('\n')[0]}); '${installCommand}' brings it for Linux, macOS and Windows`,
        { cause: error },
      );
    },
  );
  return loading;
}

export interface SessionOptions {
  /** Threads of one operator. Default: every core. */
  readonly threads?: number | undefined;
  /** Its threads may spin while it computes, but no longer: for those who take turns with others. Default: as it likes. */
  readonly spinOnlyInRuns?: boolean;
}

/** Opens a session over a model's bytes. @throws DeployError with the runtime's reason. */
export async function openSession(
  model: Uint8Array,
  { path, threads, spinOnlyInRuns = false }: SessionOptions & { path: string },
): Promise<InferenceSession> {
  const { InferenceSession: sessions } = await loadRuntime();
  try {
    return await sessions.create(model, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      // Errors come as exceptions; warnings about unused constants help nobody.
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(spinOnlyInRuns && { extra: { session: { force_spinning_stop: '1' } } }),
    });
  } catch (error) {
    throw new DeployError(`${path}: ONNX Runtime refuses it: ${(error as Error).message}`, { cause: error });
  }
}
