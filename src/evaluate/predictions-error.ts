import { InceptionError } from '../errors.ts';

/** A predictions file that belongs to another evaluation, or is corrupt. */
export class PredictionsError extends InceptionError {
  override name = 'PredictionsError';
}
