/** Detects that the client has disconnected. */

import type { FastifyReply } from 'fastify';
import { InceptionError } from '../../errors.ts';

export class ClientDisconnected extends InceptionError {
  override name = 'ClientDisconnected';

  constructor() {
    super('the client disconnected before the response');
  }
}

/** Aborted when the connection closes before the response is written. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new ClientDisconnected());
  });
  return controller.signal;
}
