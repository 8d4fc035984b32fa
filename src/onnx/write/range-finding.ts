/** Which part of a value's numbers 256 steps should cover: three methods over what calibration saw. */

export const calibrationMethods = ['min-max', 'percentile', 'entropy'] as const;
/** How the range of a value is chosen from what was seen on images. */
export type CalibrationMethod = (typeof calibrationMethods)[number];

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Bins between a value's smallest and largest number. */
export const histogramBins = 2048;

export interface Histogram extends Range {
  /** How many numbers fell into each of {@link histogramBins} equal parts of low to high. */
  readonly counts: Float64Array;
}

/** Share of the numbers at each end of a range that the percentile method lets go. */
const lost = 1e-5;

/** The range that a method chooses; it always holds zero. */
export function chooseRange(histogram: Histogram, method: CalibrationMethod): Range {
  const { low, high } =
    method === 'min-max' ? histogram : method === 'percentile' ? percentile(histogram) : entropy(histogram);
  return { low: Math.min(low, 0), high: Math.max(high, 0) };
}

const widthOf = ({ low, high, counts }: Histogram): number => (high - low) / counts.length;

function percentile(histogram: Histogram): Range {
  const { low, counts } = histogram;
  const width = widthOf(histogram);
  const total = counts.reduce((sum, count) => sum + count, 0);
  let [first, last] = [0, counts.length - 1];
  for (let below = 0; first < last; first++) {
    below += counts[first] as number;
    if (below > total * lost) break;
  }
  for (let above = 0; last > first; last--) {
    above += counts[last] as number;
    if (above > total * lost) break;
  }
  return { low: low + first * width, high: low + (last + 1) * width };
}

/** Steps of one sign that quantised numbers have here: 128 of int8, 255 of uint8. */
const stepsOf = (isSigned: boolean): number => (isSigned ? 128 : 255);

/**
 * The magnitude at which cutting loses least of the distribution, by Kullback and Leibler's divergence between what was
 * seen (cut) and what its quantisation can tell apart, as TensorRT's calibration chooses it.
 */
function entropy(histogram: Histogram): Range {
  const isSigned = histogram.low < 0;
  const { magnitudes, width } = magnitudesOf(histogram);
  const steps = stepsOf(isSigned);
  let best = { divergence: Number.POSITIVE_INFINITY, bins: magnitudes.length };
  for (let bins = Math.min(steps, magnitudes.length); bins <= magnitudes.length; bins += 8) {
    const divergence = divergenceAt(magnitudes, { bins, steps });
    if (divergence < best.divergence) best = { divergence, bins };
  }
  const high = best.bins * width;
  // Beyond what was seen there is nothing to cover.
  return { low: isSigned ? Math.max(-high, histogram.low) : 0, high: Math.min(high, histogram.high) };
}

/** Counts by magnitude, in {@link histogramBins} bins from zero. */
function magnitudesOf(histogram: Histogram): { magnitudes: Float64Array; width: number } {
  const { low, high, counts } = histogram;
  const width = Math.max(Math.abs(low), Math.abs(high)) / counts.length;
  const magnitudes = new Float64Array(counts.length);
  const own = widthOf(histogram);
  for (const [bin, count] of counts.entries()) {
    const middle = Math.abs(low + (bin + 0.5) * own);
    const at = Math.min(Math.floor(middle / width), counts.length - 1);
    magnitudes[at] = (magnitudes[at] as number) + count;
  }
  // Behind a ReLU most numbers are zero, which every scale represents exactly; they would outweigh all others.
  magnitudes[0] = magnitudes[1] as number;
  return { magnitudes, width };
}

function divergenceAt(magnitudes: Float64Array, { bins, steps }: { bins: number; steps: number }): number {
  const beyond = magnitudes.subarray(bins).reduce((sum, count) => sum + count, 0);
  const seen = magnitudes.slice(0, bins);
  const quantised = new Float64Array(bins);
  for (let step = 0; step < steps; step++) {
    const [from, to] = [Math.floor((step * bins) / steps), Math.floor(((step + 1) * bins) / steps)];
    let [sum, used] = [0, 0];
    for (let bin = from; bin < to; bin++) {
      sum += seen[bin] as number;
      if (seen[bin] !== 0) used++;
    }
    for (let bin = from; bin < to; bin++) if (seen[bin] !== 0) quantised[bin] = sum / used;
  }
  seen[bins - 1] = (seen[bins - 1] as number) + beyond;
  const [total, quantisedTotal] = [seen, quantised].map((each) =>
    each.reduce((sum, count) => sum + count, 0),
  ) as [number, number];
  let divergence = 0;
  for (let bin = 0; bin < bins; bin++) {
    const share = (seen[bin] as number) / total;
    if (share === 0) continue;
    // What quantisation cannot tell from nothing costs much, but not everything.
    const other = Math.max((quantised[bin] as number) / quantisedTotal, 1e-9);
    divergence += share * Math.log(share / other);
  }
  return divergence;
}
