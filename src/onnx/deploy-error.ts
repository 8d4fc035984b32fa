import { InceptionError } from '../errors.ts';

/** A model cannot be exported, is refused, or its exported file computes different numbers. */
export class DeployError extends InceptionError {
  override name = 'DeployError';
}
