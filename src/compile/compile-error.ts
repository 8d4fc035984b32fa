import { InceptionError } from '../errors.ts';

/** The options and the network do not go together. */
export class CompileError extends InceptionError {
  override name = 'CompileError';
}
