import { InceptionError } from '../errors.ts';

/** The training cannot continue: the loss is not finite, or the network has died. */
export class TrainingError extends InceptionError {
  override name = 'TrainingError';
}
