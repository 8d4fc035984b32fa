/**
 * Statistics of a few runs: spread over seeds, and tests of pairs that differ in one thing and share their seed. Pure. The numbers in the
 * tests are scipy's.
 */

export interface Spread {
  readonly count: number;
  readonly mean: number;
  /** Of the sample, with n − 1; NaN for one value. */
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values */
export function spreadOf(values: readonly number[]): Spread {
  const count = values.length;
  if (count === 0) throw new RangeError('no values: expected at least one');
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    count,
    mean,
    deviation: count === 1 ? Number.NaN : Math.sqrt(squares / (count - 1)),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Beyond this number of pairs the exact test has too many sign patterns; no experiment here has as many seeds. */
const mostPairs = 20;

/**
 * Two-sided p-value of paired differences by the exact sign-flip permutation test: the share of all 2^n patterns of signs whose mean is
 * at least as far from zero. It assumes that a difference is as likely as its negative where the arms are alike, and nothing of its
 * distribution. The smallest value that n pairs can give is 2^(1−n). @throws RangeError without pairs, or for more than 20
 */
export function signFlipTest(differences: readonly number[]): number {
  const { length } = differences;
  if (length === 0 || length > mostPairs)
    throw new RangeError(`expected 1 to ${mostPairs} pairs, received ${length}`);
  const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0));
  // Sums in another order differ in their last bits.
  const tolerance = 1e-12 * differences.reduce((sum, value) => sum + Math.abs(value), 0);
  let extreme = 0;
  for (let pattern = 0; pattern < 2 ** length; pattern++) {
    let sum = 0;
    for (const [index, value] of differences.entries()) sum += (pattern >> index) & 1 ? -value : value;
    if (Math.abs(sum) >= observed - tolerance) extreme++;
  }
  return extreme / 2 ** length;
}

export const smallestP = (pairs: number): number => 2 ** (1 - pairs);

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The interval of Student's t for the mean: it assumes values that are normally distributed, which a few seeds cannot show.
 * @throws RangeError for fewer than two values
 */
export function meanInterval(values: readonly number[], confidence = 0.95): Interval {
  const { count, mean, deviation } = spreadOf(values);
  if (count < 2) throw new RangeError(`expected at least two values, received ${count}`);
  const half = (studentQuantile((1 + confidence) / 2, count - 1) * deviation) / Math.sqrt(count);
  return { mean, low: mean - half, high: mean + half };
}

/** Of ratios above 0: their geometric mean, with the interval of the mean of their logarithms. */
export function ratioInterval(ratios: readonly number[], confidence = 0.95): Interval {
  const { mean, low, high } = meanInterval(ratios.map(Math.log), confidence);
  return { mean: Math.exp(mean), low: Math.exp(low), high: Math.exp(high) };
}

/** Quantile of Student's t distribution, for a probability above a half, by bisection. */
export function studentQuantile(probability: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (studentCumulative(high, freedom) < probability) high *= 2;
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2;
    if (studentCumulative(middle, freedom) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T ≤ t) for t ≥ 0. */
function studentCumulative(t: number, freedom: number): number {
  return 1 - incompleteBeta(freedom / (freedom + t * t), freedom / 2, 1 / 2) / 2;
}

/** The regularised incomplete beta function, by the continued fraction of Numerical Recipes (third edition, section 6.4). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      change = c * d;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return (front * fraction) / a;
}

/** Lanczos' approximation with g = 7 and nine coefficients. */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const sum = coefficients.reduce(
    (total, coefficient, index) => total + (index === 0 ? coefficient : coefficient / (x - 1 + index)),
    0,
  );
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
