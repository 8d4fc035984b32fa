import { InceptionError } from '../errors.ts';

/** The options do not fit the network. */
export class CompileError extends InceptionError {
  override name = 'CompileError';
}
