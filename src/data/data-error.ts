import { InceptionError } from '../errors.ts';

/** Missing or malformed data. */
export class DataError extends InceptionError {
  override name = 'DataError';
}
