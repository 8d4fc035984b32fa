/** An ONNX Runtime model behind the server's interface, in a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { ModelOverrides } from '../../classifier/predicting-model.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import { builtProgram, startHelper } from '../helper-process.ts';
import { niceness } from '../priority.ts';
import type { OnnxFacts, OnnxReply, OpenOnnx } from './onnx-messages.ts';
import { imagesInput, type ServedModel, type ServeModelOptions } from './served-model.ts';

export interface ServeOnnxOptions extends ServeModelOptions {
  /** In place of what an .onnx file says, or does not say. */
  readonly overrides?: ModelOverrides | undefined;
  /** Threads per operator. Default: every core. */
  readonly threads?: number | undefined;
}

/**
 * Serves an .onnx file, or weights by ONNX Runtime. Like every model here it takes bytes, whatever the file's own input type is.
 * If the process dies, the batch in progress is lost; the next batch starts a new process.
 * @throws DeployError with what `loadClassifier` says.
 */
export async function serveByOnnx(
  path: string,
  { name, batch, overrides, threads }: ServeOnnxOptions,
): Promise<ServedModel> {
  const model = { path, overrides, threads };
  let running = await start({ ...model, batch });
  const { classes, classIds, preprocessing, outputLength, batch: batchSize } = running.facts;
  const hasClasses = classes.length > 0;
  return {
    name,
    platform: 'onnxruntime_onnx',
    source: path,
    classes,
    ...(classIds && { classIds }),
    preprocessing,
    input: imagesInput(preprocessing),
    output: { name: hasClasses ? 'probabilities' : 'embedding', datatype: 'FP32', shape: [outputLength] },
    batch: batchSize,
    run: async (rows) => {
      if (!running.child.connected) running = await start({ ...model, batch: batchSize });
      const reply = await request(running.child, rows as Uint8Array);
      if (reply.kind === 'rows') return reply.data;
      throw new Error(
        reply.kind === 'failed' ? reply.message : `${path}: unexpected message from the worker`,
      );
    },
    close: async () => {
      const { child } = running;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function start(opening: OpenOnnx): Promise<{ child: ChildProcess; facts: OnnxFacts }> {
  const { child, stderrTail } = startHelper(builtProgram('models/onnx-model-worker'), {
    env: process.env,
    niceness: niceness.computing,
  });
  const reply = await request(child, opening, stderrTail);
  if (reply.kind === 'opened') return { child, facts: reply.facts };
  child.kill('SIGKILL');
  const message = reply.kind === 'failed' ? reply.message : 'unexpected message from the worker';
  throw reply.kind === 'failed' && reply.refused ? new DeployError(message) : new Error(message);
}

/** One request at a time; resolves with its reply, or rejects if the process dies. */
function request(
  child: ChildProcess,
  message: OpenOnnx | Uint8Array,
  stderrTail = () => '',
): Promise<OnnxReply> {
  return new Promise((resolve, reject) => {
    const onReply = (reply: OnnxReply) => {
      child.off('exit', onExit);
      resolve(reply);
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      child.off('message', onReply);
      reject(
        new Error(`the process that runs the model died (${signal ?? `exit code ${code}`})${stderrTail()}`),
      );
    };
    child.once('message', onReply).once('exit', onExit);
    // A process that has just died reports an error here; its exit handler deals with the request.
    child.send(message, () => {});
  });
}
