import { DataError } from '../data-error.ts';

/** A record file that cannot be used, or records that are no labelled images. */
export class RecordError extends DataError {
  override name = 'RecordError';
}
