/** What a probe's classifier says of features, without the network: the same as its model's to rounding. */

interface Classifier {
  /** [classes, length] */
  readonly weight: Float32Array | Float64Array;
  readonly bias: Float32Array | Float64Array;
  readonly part: { readonly length: number };
}

/** Softmax of weight · features + bias for each row, in float64. */
export function* probabilitiesOf(
  { weight, bias, part }: Classifier,
  values: Float32Array,
): Generator<Float64Array> {
  const { length } = part;
  for (let first = 0; first < values.length; first += length) {
    const logits = Float64Array.from(bias, (start, label) => {
      let sum = start;
      for (let at = 0; at < length; at++)
        sum += (weight[label * length + at] as number) * (values[first + at] as number);
      return sum;
    });
    const largest = logits.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY);
    const exponentials = logits.map((each) => Math.exp(each - largest));
    const total = exponentials.reduce((sum, each) => sum + each, 0);
    yield exponentials.map((each) => each / total);
  }
}
