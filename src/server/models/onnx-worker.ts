/**
 * The process that runs an ONNX file: ONNX Runtime's binding for Node.js computes on the thread that asks, which in the server's
 * own process could not answer anybody meanwhile.
 */

import { loadClassifier } from '../../classifier/classifier.ts';
import { inputBytes } from '../../images/preprocess.ts';
import { ModelError } from '../../model/description.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import { chooseBatch } from '../queue/choose-batch.ts';
import type { OnnxAnswer, OnnxFacts, OnnxOpening } from './onnx-messages.ts';

type Run = (rows: Uint8Array) => Promise<Float32Array>;

const answer = (message: OnnxAnswer) => process.send?.(message);

async function open({ path, options, batch: asked }: OnnxOpening): Promise<{ facts: OnnxFacts; run: Run }> {
  const { classes, preprocessing, description, predictor } = await loadClassifier(path, options);
  const run: Run = classes.length > 0 ? predictor.predict : predictor.outputs;
  const black = (count: number) => run(new Uint8Array(count * inputBytes(preprocessing)));
  const batch = await chooseBatch(black, { asked });
  const classIds = description?.classIds;
  const { length: outputLength } = await black(1);
  return { run, facts: { classes, ...(classIds && { classIds }), preprocessing, batch, outputLength } };
}

let run: Run | undefined;

process.on('message', async (message: OnnxOpening | Uint8Array) => {
  try {
    if (!(message instanceof Uint8Array)) {
      const opened = await open(message);
      run = opened.run;
      answer({ kind: 'opened', facts: opened.facts });
    } else if (run) answer({ kind: 'rows', data: await run(message) });
  } catch (error) {
    const refused = error instanceof DeployError || error instanceof ModelError;
    const { message: why, stack = why } = error as Error;
    answer({ kind: 'failed', message: refused ? why : stack, refused });
  }
});

// A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group; the server drains first and then lets go of us.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
