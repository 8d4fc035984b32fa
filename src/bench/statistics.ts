/** Statistics of a few times: medians and quartiles, because on a shared machine outliers go in one direction only. */

export interface Summary {
  readonly median: number;
  /** The quartiles: half of all values are between them. */
  readonly low: number;
  readonly high: number;
  readonly min: number;
  readonly count: number;
}

/** The quantile of `fraction`, interpolated between neighbours; `values` must not be empty. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = fraction * (sorted.length - 1);
  const lower = Math.floor(position);
  const [left = Number.NaN, right = left] = [sorted[lower], sorted[lower + 1]];
  return left + (right - left) * (position - lower);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** @throws RangeError without values. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('no times were measured: expected at least one');
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    min: Math.min(...values),
    count: values.length,
  };
}

/**
 * How many times faster `ours` is than `theirs`: the median of the ratios of each round. Both sides of a round run within moments
 * of each other, so that whatever slows the machine affects both.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length || ours.length === 0) {
    throw new RangeError(`rounds do not pair: ${ours.length} of ours, ${theirs.length} of theirs`);
  }
  return median(theirs.map((time, round) => time / (ours[round] as number)));
}
