import { InceptionError } from '../errors.ts';

/** A peer fails, answers something else, or a measurement cannot be made here. */
export class BenchError extends InceptionError {
  override name = 'BenchError';
}
