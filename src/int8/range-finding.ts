/** Chooses the range that 256 steps should cover: three methods, applied to the values seen in calibration. */

export const calibrationMethods = ['min-max', 'percentile', 'entropy'] as const;
/** How the range of a value is chosen from what was seen on images. */
export type CalibrationMethod = (typeof calibrationMethods)[number];

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Bins between a value's minimum and maximum. */
export const histogramBins = 2048;

export interface Histogram extends Range {
  /** Count of values in each of {@link histogramBins} equal parts of [low, high]. */
  readonly counts: Float64Array;
}

/** Fraction of values at each end that the percentile method clips. */
const clippedFraction = 1e-5;

/** The range chosen by a method; it always contains zero. */
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
  for (let clipped = 0; first < last; first++) {
    clipped += counts[first] as number;
    if (clipped > total * clippedFraction) break;
  }
  for (let clipped = 0; last > first; last--) {
    clipped += counts[last] as number;
    if (clipped > total * clippedFraction) break;
  }
  return { low: low + first * width, high: low + (last + 1) * width };
}

/** Number of quantisation steps for one sign: 128 for int8, 255 for uint8. */
const stepsOf = (isSigned: boolean): number => (isSigned ? 128 : 255);

/**
 * The clipping magnitude that loses least of the distribution, by the Kullback–Leibler divergence between the clipped histogram and
 * its quantisation, as in TensorRT's calibration.
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
  // There is no need to cover values that never occurred.
  return { low: isSigned ? Math.max(-high, histogram.low) : 0, high: Math.min(high, histogram.high) };
}

/** Counts by magnitude, in {@link histogramBins} bins from zero. */
function magnitudesOf(histogram: Histogram): { magnitudes: Float64Array; width: number } {
  const { low, high, counts } = histogram;
  const width = Math.max(Math.abs(low), Math.abs(high)) / counts.length;
  const magnitudes = new Float64Array(counts.length);
  const binWidth = widthOf(histogram);
  for (const [bin, count] of counts.entries()) {
    const middle = Math.abs(low + (bin + 0.5) * binWidth);
    const target = Math.min(Math.floor(middle / width), counts.length - 1);
    magnitudes[target] = (magnitudes[target] as number) + count;
  }
  // After a ReLU most values are zero, which every scale represents exactly; they would outweigh all others.
  magnitudes[0] = magnitudes[1] as number;
  return { magnitudes, width };
}

function divergenceAt(magnitudes: Float64Array, { bins, steps }: { bins: number; steps: number }): number {
  const clipped = magnitudes.subarray(bins).reduce((sum, count) => sum + count, 0);
  const observed = magnitudes.slice(0, bins);
  const quantised = new Float64Array(bins);
  for (let step = 0; step < steps; step++) {
    const [start, end] = [Math.floor((step * bins) / steps), Math.floor(((step + 1) * bins) / steps)];
    let [sum, used] = [0, 0];
    for (let bin = start; bin < end; bin++) {
      sum += observed[bin] as number;
      if (observed[bin] !== 0) used++;
    }
    for (let bin = start; bin < end; bin++) if (observed[bin] !== 0) quantised[bin] = sum / used;
  }
  observed[bins - 1] = (observed[bins - 1] as number) + clipped;
  const [total, quantisedTotal] = [observed, quantised].map((histogram) =>
    histogram.reduce((sum, count) => sum + count, 0),
  ) as [number, number];
  let divergence = 0;
  for (let bin = 0; bin < bins; bin++) {
    const probability = (observed[bin] as number) / total;
    if (probability === 0) continue;
    // A value that quantisation maps to zero is penalised, but not infinitely.
    const quantisedProbability = Math.max((quantised[bin] as number) / quantisedTotal, 1e-9);
    divergence += probability * Math.log(probability / quantisedProbability);
  }
  return divergence;
}
