/** Whether the client is still there. */

import type { FastifyReply } from 'fastify';
import { InceptionError } from '../../errors.ts';

export class ClientGone extends InceptionError {
  override name = 'ClientGone';

  constructor() {
    super('the client left before the answer');
  }
}

/** Aborted when the connection closes before the answer is written. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new ClientGone());
  });
  return controller.signal;
}
