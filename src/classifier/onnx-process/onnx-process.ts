/** An ONNX model in a process of its own, which is ended when it takes too long or too much memory. */
import { stat } from 'node:fs/promises';
import { builtProgram } from '../../helper-process.ts';
import { inputBytes } from '../../images/preprocess.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import type { ImagePredictor } from '../predicting-model.ts';
import type { OnnxFacts, OnnxJob, OpenOnnx } from './messages.ts';
import { type JobLimits, WatchedProcess } from './watched-process.ts';

export interface OnnxProcessOptions extends Pick<OpenOnnx, 'overrides' | 'threads' | 'precision'> {
  /** Bounds the memory of the process by the size of the file. */
  readonly limitMemory: boolean;
  /** Asks the process now and then whether it still answers. Default false. */
  readonly keepAlive?: boolean;
  readonly onSpawn?: ((pid: number) => void) | undefined;
  readonly onReplaced?: ((reason: string) => void) | undefined;
}

export interface OnnxProcess extends Pick<ImagePredictor, 'predict' | 'outputs'> {
  readonly facts: OnnxFacts;
  readonly healthy: boolean;
  close(): Promise<void>;
}

/** Of a process with a file: what Node.js and ONNX Runtime take, and eight times the file; batches take more (see `worker.ts`). */
const memoryLimit = (fileBytes: number): number => 2 * 2 ** 30 + 8 * fileBytes;

/** For opening and a first image: what a slow disk takes, and then a minute. Weights may have to be converted first. */
const openLimitMs = (fileBytes: number | undefined): number =>
  fileBytes === undefined ? 600_000 : 60_000 + fileBytes / 5_000;

/** Twenty times what images took in the first run, as long as that is more than ten seconds. */
const jobLimits = (expectedMs: number): JobLimits => ({
  limitMs: Math.max(10_000, 20 * expectedMs),
  lateMs: Math.max(2_000, 5 * expectedMs),
});

/**
 * Opens an .onnx file, or weights by ONNX Runtime, and computes one image.
 * @throws DeployError with what `openByOnnx` says; ProcessLostError if the first image takes too long or too much memory, and by
 * each call if two processes in turn were lost with it
 */
export async function openOnnxProcess(path: string, options: OnnxProcessOptions): Promise<OnnxProcess> {
  const { overrides, threads, precision, limitMemory, keepAlive = false, onSpawn, onReplaced } = options;
  const info = await stat(path).catch(() => undefined);
  const fileBytes = info?.isFile() ? info.size : undefined;
  const opening: OpenOnnx = {
    path,
    overrides,
    threads,
    precision,
    ...(limitMemory && { memoryBytes: memoryLimit(fileBytes ?? 0) }),
  };
  const watched = await WatchedProcess.open<OpenOnnx, OnnxFacts, OnnxJob, Float32Array>({
    program: builtProgram('classifier/onnx-process/worker'),
    what: path,
    opening,
    openMs: openLimitMs(fileBytes),
    refusal: (message) => new DeployError(message),
    checkMs: keepAlive ? 5_000 : undefined,
    onSpawn,
    onReplaced,
  });
  const { facts } = watched;
  const imageBytes = inputBytes(facts.description.preprocessing);
  const run = (images: Uint8Array, wanted: OnnxJob['wanted']) =>
    watched.run({ images, wanted }, jobLimits((images.length / imageBytes) * facts.firstImageMs));
  return {
    facts,
    get healthy() {
      return watched.healthy;
    },
    predict: (images) => run(images, 'predict'),
    outputs: (images) => run(images, 'outputs'),
    close: () => watched.close(),
  };
}
