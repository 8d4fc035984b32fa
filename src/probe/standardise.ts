/** Features with a mean of 0 and a variance of 1, so that one strength of regularisation suits all of them. */

export interface Scaling {
  readonly mean: Float64Array;
  /** Standard deviations; 1 for a feature that is constant. */
  readonly scale: Float64Array;
}

/** Of [rows, features]; the validation's rows must not be among them. */
export function scalingOf(values: Float32Array, { features }: { readonly features: number }): Scaling {
  const rows = values.length / features;
  const mean = new Float64Array(features);
  for (let row = 0; row < rows; row++)
    for (let at = 0; at < features; at++)
      mean[at] = (mean[at] as number) + (values[row * features + at] as number) / rows;
  const variance = new Float64Array(features);
  for (let row = 0; row < rows; row++)
    for (let at = 0; at < features; at++)
      variance[at] =
        (variance[at] as number) +
        ((values[row * features + at] as number) - (mean[at] as number)) ** 2 / rows;
  // What rounding leaves of a constant is no variance.
  const scale = variance.map((each, at) => {
    const deviation = Math.sqrt(each);
    return deviation > 1e-6 * Math.max(1e-6, Math.abs(mean[at] as number)) ? deviation : 1;
  });
  return { mean, scale };
}

export function standardise(values: Float32Array, { mean, scale }: Scaling): Float32Array {
  const features = mean.length;
  return values.map(
    (value, at) => (value - (mean[at % features] as number)) / (scale[at % features] as number),
  );
}

/** A classifier of standardised features as one of the features themselves: weight [classes, features], bias [classes]. */
export function unscaled(
  { weight, bias }: { readonly weight: Float64Array; readonly bias: Float64Array },
  { mean, scale }: Scaling,
): { weight: Float32Array; bias: Float32Array } {
  const features = mean.length;
  const changed = weight.map((value, at) => value / (scale[at % features] as number));
  const shifted = bias.map((value, row) => {
    let sum = value;
    for (let at = 0; at < features; at++)
      sum -= (changed[row * features + at] as number) * (mean[at] as number);
    return sum;
  });
  return { weight: Float32Array.from(changed), bias: Float32Array.from(shifted) };
}
