import { InceptionError } from '../errors.ts';

/** A training that cannot go on: its loss is not finite, or the network has died. */
export class TrainingError extends InceptionError {
  override name = 'TrainingError';
}
