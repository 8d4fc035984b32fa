import { DataError } from '../data-error.ts';

/** An archive that is not what this reads, or that lies: the message names it and the member. */
export class ShardError extends DataError {
  override name = 'ShardError';
}
