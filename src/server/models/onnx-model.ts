/** A model of ONNX Runtime as the server wants it, in a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { ClassifierOptions } from '../../classifier/classifier.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import { builtProgram, startHelper } from '../helper-process.ts';
import { below } from '../priority.ts';
import type { OnnxAnswer, OnnxFacts, OnnxOpening } from './onnx-messages.ts';
import { imagesInput, type ServedModel, type ServeModelOptions } from './served-model.ts';

export interface ServeOnnxOptions extends ServeModelOptions {
  /** What the file does not say itself. */
  readonly classifier?: ClassifierOptions;
}

/**
 * Serves an ONNX file, which takes bytes like every model here, whatever its own input is. A process that dies takes the batch
 * that it had with it; the next batch starts another.
 * @throws DeployError as `loadClassifier`.
 */
export async function serveOnnxFile(
  path: string,
  { name, batch, classifier = {} }: ServeOnnxOptions,
): Promise<ServedModel> {
  let running = await start({ path, options: classifier, batch });
  const { classes, classIds, preprocessing, outputLength, batch: chosen } = running.facts;
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
    batch: chosen,
    run: async (rows) => {
      if (!running.child.connected) running = await start({ path, options: classifier, batch: chosen });
      const answer = await ask(running.child, rows as Uint8Array);
      if (answer.kind === 'rows') return answer.data;
      throw new Error(answer.kind === 'failed' ? answer.message : `${path}: an answer that nobody asked for`);
    },
    close: async () => {
      const { child } = running;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function start(opening: OnnxOpening): Promise<{ child: ChildProcess; facts: OnnxFacts }> {
  const { child, lastWords } = startHelper(builtProgram('models/onnx-worker'), {
    env: process.env,
    below: below.computing,
  });
  const answer = await ask(child, opening, lastWords);
  if (answer.kind === 'opened') return { child, facts: answer.facts };
  child.kill('SIGKILL');
  const why = answer.kind === 'failed' ? answer.message : 'an answer that nobody asked for';
  throw answer.kind === 'failed' && answer.refused ? new DeployError(why) : new Error(why);
}

/** One question at a time: its answer, or that the process has died. */
function ask(
  child: ChildProcess,
  question: OnnxOpening | Uint8Array,
  lastWords = () => '',
): Promise<OnnxAnswer> {
  return new Promise((resolve, reject) => {
    const onAnswer = (answer: OnnxAnswer) => {
      child.off('exit', onExit);
      resolve(answer);
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      child.off('message', onAnswer);
      reject(
        new Error(`the process that runs the model died (${signal ?? `exit code ${code}`})${lastWords()}`),
      );
    };
    child.once('message', onAnswer).once('exit', onExit);
    // A process that has just died says so here; its exit then deals with the question.
    child.send(question, () => {});
  });
}
