/**
 * Features in as many numbers as there are rows. The weights that minimise a regularised loss are a sum of the rows, so that nothing is
 * lost where each row is written in an orthonormal basis of what the rows span: with 120 images of 2,048 features a fit costs a
 * seventeenth. Pure; also for browsers.
 */
import type { FitOptions, Regression, RegressionData } from './softmax-regression.ts';

/** What rounding leaves of a row that the earlier ones span, as a fraction of its length. */
const negligible = 1e-6;

/**
 * A regression of the same data, solved by `open` on the coordinates of its rows where these are fewer than the features. Fits have the
 * same losses, and weights for the features; a tolerance counts components along the basis.
 */
export function regressionInSpan(
  data: RegressionData,
  open: (data: RegressionData) => Regression,
): Regression {
  const { values, labels, classes } = data;
  const rows = labels.length;
  const features = values.length / rows;
  if (features <= rows) return open(data);
  const basis = basisOf(values, { rows, features });
  const rank = basis.length;
  const coordinates = new Float32Array(rows * rank);
  for (let row = 0; row < rows; row++)
    for (let at = 0; at < rank; at++)
      coordinates[row * rank + at] = dot(basis[at] as Float64Array, values, row * features);
  const inner = open({ values: coordinates, labels, classes });
  const into = (weight: Float64Array): Float64Array => {
    const result = new Float64Array(classes * rank);
    for (let label = 0; label < classes; label++)
      for (let at = 0; at < rank; at++)
        result[label * rank + at] = dot(basis[at] as Float64Array, weight, label * features);
    return result;
  };
  const outOf = (weight: Float64Array): Float64Array => {
    const result = new Float64Array(classes * features);
    for (let label = 0; label < classes; label++)
      for (let at = 0; at < rank; at++)
        addScaled(result, label * features, {
          vector: basis[at] as Float64Array,
          factor: weight[label * rank + at] as number,
        });
    return result;
  };
  return {
    data,
    release: inner.release,
    fit: async ({ start, ...options }: FitOptions) => {
      const fit = await inner.fit({ ...options, start: start && { ...start, weight: into(start.weight) } });
      return { ...fit, weight: outOf(fit.weight) };
    },
  };
}

/** An orthonormal basis of the rows by Gram and Schmidt, each row made orthogonal twice ("twice is enough", Parlett 1980). */
function basisOf(
  values: Float32Array,
  { rows, features }: { readonly rows: number; readonly features: number },
): readonly Float64Array[] {
  const basis: Float64Array[] = [];
  for (let row = 0; row < rows; row++) {
    const rest = Float64Array.from(values.subarray(row * features, (row + 1) * features));
    const length = Math.sqrt(dot(rest, rest, 0));
    for (let pass = 0; pass < 2; pass++)
      for (const vector of basis) addScaled(rest, 0, { vector, factor: -dot(vector, rest, 0) });
    const left = Math.sqrt(dot(rest, rest, 0));
    // A copy of an earlier row, or a blank one.
    if (!(left > negligible * length)) continue;
    for (let at = 0; at < features; at++) rest[at] = (rest[at] as number) / left;
    basis.push(rest);
  }
  return basis;
}

function dot(vector: Float64Array, values: Float32Array | Float64Array, offset: number): number {
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += (vector[at] as number) * (values[offset + at] as number);
  return sum;
}

function addScaled(
  target: Float64Array,
  offset: number,
  { vector, factor }: { readonly vector: Float64Array; readonly factor: number },
): void {
  for (let at = 0; at < vector.length; at++)
    target[offset + at] = (target[offset + at] as number) + factor * (vector[at] as number);
}
