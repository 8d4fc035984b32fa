import { InceptionError } from '../errors.ts';

/** A peer failed or computed something else, or a measurement is not possible here. */
export class BenchError extends InceptionError {
  override name = 'BenchError';
}
