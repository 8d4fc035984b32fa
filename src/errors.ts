/**
 * The errors that the package means to give: every error class extends `InceptionError` and stands beside what throws it. Pure;
 * also for browsers.
 */
import { printable } from './printable.ts';

/** Base of all errors that the package means to give. Its message says where, what was expected, what came, and what to do. */
export class InceptionError extends Error {
  override name = 'InceptionError';

  /** Names from files stand in messages, and messages go to terminals: control characters are escaped and lines cut. */
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined ? message : printable(message), options);
  }
}

/** Something was asked for that does not exist or cannot be: another name or value mends it. The command line exits with 2. */
export class UsageError extends InceptionError {
  override name = 'UsageError';
}
