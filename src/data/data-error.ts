import { InceptionError } from '../errors.ts';

/** Foreign bytes that are not what they should be, or data that is not there. */
export class DataError extends InceptionError {
  override name = 'DataError';
}
