/** A peer fails, answers something else, or a measurement cannot be made here. */
export class BenchError extends Error {
  override name = 'BenchError';
}
