/** What a handful of times says: medians and quartiles, because a shared machine makes outliers in one direction. */

export interface Summary {
  readonly median: number;
  /** The quartiles: half of all values lie between them. */
  readonly low: number;
  readonly high: number;
  readonly least: number;
  readonly count: number;
}

/** The value below which `share` of all values lie, interpolated between neighbours; `values` are not empty. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const [left = Number.NaN, right = left] = [sorted[below], sorted[below + 1]];
  return left + (right - left) * (at - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** @throws RangeError without values. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('no times were measured: expected at least one');
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    least: Math.min(...values),
    count: values.length,
  };
}

/**
 * How many times faster `ours` is than `theirs`: the median of the ratios of each round. Both sides of a round ran within
 * a moment, so that what slows the machine down slows both.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length || ours.length === 0) {
    throw new RangeError(`rounds do not pair: ${ours.length} of ours, ${theirs.length} of theirs`);
  }
  return median(theirs.map((time, round) => time / (ours[round] as number)));
}
