/** An ONNX Runtime model behind the server's interface, in a process of its own. */
import { openOnnxProcess } from '../../classifier/onnx-process/onnx-process.ts';
import { ProcessLostError } from '../../classifier/onnx-process/watched-process.ts';
import type { ModelOverrides } from '../../classifier/predicting-model.ts';
import { modelKind } from '../../model/model-kind.ts';
import { RequestError } from '../http/request-error.ts';
import { lowerPriority, niceness } from '../priority.ts';
import { chooseBatch } from '../queue/choose-batch.ts';
import { imagesInput, type ServedModel, type ServeModelOptions, syntheticBatches } from './served-model.ts';

export interface ServeOnnxOptions extends ServeModelOptions {
  /** In place of what an .onnx file says, or does not say. */
  readonly overrides?: ModelOverrides | undefined;
  /** Threads per operator. Default: every core. */
  readonly threads?: number | undefined;
  /** Of weights; see `openByOnnx`. */
  readonly precision?: 'float32' | 'int8';
  readonly onNotice?: ((line: string) => void) | undefined;
}

/**
 * Serves an .onnx file, or weights by ONNX Runtime. Like every model here it takes bytes, whatever the file's own input type is.
 * If the process dies or hangs, its batch is computed once more in a new one.
 * @throws DeployError with what `loadClassifier` says.
 */
export async function serveByOnnx(
  path: string,
  { name, batch: fixed, overrides, threads, precision, onNotice }: ServeOnnxOptions,
): Promise<ServedModel> {
  let listener: ((reason: string) => void) | undefined;
  const onnx = await openOnnxProcess(path, {
    overrides,
    threads,
    precision,
    limitMemory: modelKind(path) === 'onnx',
    keepAlive: true,
    onSpawn: (pid) => lowerPriority(pid, niceness.computing),
    onReplaced: (reason) => listener?.(reason),
  });
  const { description, outputs, notices } = onnx.facts;
  for (const line of notices) onNotice?.(line);
  const { classes, classIds, preprocessing } = description;
  const hasClasses = classes.length > 0;
  const run = hasClasses ? onnx.predict : onnx.outputs;
  const images = syntheticBatches(preprocessing);
  try {
    return {
      name,
      platform: 'onnxruntime_onnx',
      source: path,
      classes,
      ...(classIds && { classIds }),
      preprocessing,
      input: imagesInput(preprocessing),
      output: { name: hasClasses ? 'probabilities' : 'embedding', datatype: 'FP32', shape: [outputs] },
      batch: await chooseBatch((count) => run(images(count)), { fixed }),
      run: (rows) => run(rows as Uint8Array).catch((error) => Promise.reject(lost(error, name))),
      healthy: () => onnx.healthy,
      onReplaced: (listen) => {
        listener = listen;
      },
      close: () => onnx.close(),
    };
  } catch (error) {
    await onnx.close();
    throw error;
  }
}

/** Two processes in turn: whether it was the batch or the machine, another try may succeed. */
const lost = (error: unknown, name: string): unknown =>
  error instanceof ProcessLostError
    ? new RequestError(503, `'${name}' failed twice in computing the request; try again later`, {
        retryAfterSeconds: 5,
        reason: 'model_lost',
      })
    : error;
