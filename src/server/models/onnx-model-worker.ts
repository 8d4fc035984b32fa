/**
 * The process that runs an ONNX file. ONNX Runtime's binding for Node.js computes on the calling thread, which would block the
 * server's event loop.
 */

import { openByOnnx } from '../../classifier/run-by-onnx.ts';
import { InceptionError } from '../../errors.ts';
import { inputBytes } from '../../images/preprocess.ts';
import { chooseBatch } from '../queue/choose-batch.ts';
import type { OnnxFacts, OnnxReply, OpenOnnx } from './onnx-messages.ts';

type Run = (rows: Uint8Array) => Promise<Float32Array>;

const send = (message: OnnxReply) => process.send?.(message);

async function open({ path, batch: fixed, ...options }: OpenOnnx): Promise<{ facts: OnnxFacts; run: Run }> {
  const { description, predictor } = await openByOnnx(path, options);
  const { classes, classIds, preprocessing } = description;
  const run: Run = classes.length > 0 ? predictor.predict : predictor.outputs;
  const black = (count: number) => run(new Uint8Array(count * inputBytes(preprocessing)));
  const batch = await chooseBatch(black, { fixed });
  const { length: outputLength } = await black(1);
  return { run, facts: { classes, ...(classIds && { classIds }), preprocessing, batch, outputLength } };
}

let run: Run | undefined;

process.on('message', async (message: OpenOnnx | Uint8Array) => {
  try {
    if (!(message instanceof Uint8Array)) {
      const opened = await open(message);
      run = opened.run;
      send({ kind: 'opened', facts: opened.facts });
    } else if (run) send({ kind: 'rows', data: await run(message) });
  } catch (error) {
    const refused = error instanceof InceptionError;
    const { message: text, stack = text } = error as Error;
    send({ kind: 'failed', message: refused ? text : stack, refused });
  }
});

// Ctrl-C and a service manager's SIGTERM reach the whole process group; the server drains first and then disconnects.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
