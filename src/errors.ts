/**
 * The errors that the package means to give: every error class extends `InceptionError` and stands beside what throws it. Pure;
 * also for browsers.
 */

/** Base of all errors that the package means to give. Its message says where, what was expected, what came, and what to do. */
export class InceptionError extends Error {
  override name = 'InceptionError';
}

/** Something was asked for that does not exist or cannot be: another name or value mends it. The command line exits with 2. */
export class UsageError extends InceptionError {
  override name = 'UsageError';
}
