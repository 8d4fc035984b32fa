/** The thread that reads large JSON bodies, one at a time; its heap is bounded, and the server ends it if a body takes too long. */
import { parentPort } from 'node:worker_threads';
import { RequestError } from '../http/request-error.ts';
import { type BodyAnswer, type BodyJob, type BodyKind, readers } from './body-messages.ts';

const send = (answer: BodyAnswer) => parentPort?.postMessage(answer);

const read = <Kind extends BodyKind>({ kind, body, options }: BodyJob<Kind>) => readers[kind](body, options);

parentPort?.on('message', (job: BodyJob) => {
  try {
    send({ kind: 'request', request: read(job) });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    send({ kind: 'refused', status: error.status, message: error.message });
  }
});
send({ kind: 'ready' });
