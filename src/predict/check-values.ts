/** Whether what a network has computed are numbers: a result that is not would otherwise be ranked and averaged like one. */

export type ValueKind = 'logits' | 'probabilities' | 'features';

/** Rounding of float16 and of a softmax in lower precision. */
const tolerance = 0.01;

/**
 * What is wrong with a network's values [n, outputs], or undefined. Features and logits must be finite, but for a logit of −∞, which
 * says that a class is impossible; probabilities must lie between 0 and 1.
 */
export function problemWith(
  values: Float32Array,
  { outputs, kind }: { readonly outputs: number; readonly kind: ValueKind },
): string | undefined {
  const isWrong = wrongValues[kind];
  const first = values.findIndex(isWrong);
  if (first < 0) return undefined;
  const row = Math.floor(first / outputs);
  const inRow = values.subarray(row * outputs, (row + 1) * outputs).filter(isWrong).length;
  return `${inRow} of the ${outputs} ${kind} of image ${row + 1} of ${values.length / outputs} are not ${expected[kind]}, the first is ${values[first]}`;
}

const wrongValues: Readonly<Record<ValueKind, (value: number) => boolean>> = {
  features: (value) => !Number.isFinite(value),
  logits: (value) => !(value < Number.POSITIVE_INFINITY),
  probabilities: (value) => !(value >= -tolerance && value <= 1 + tolerance),
};

const expected: Readonly<Record<ValueKind, string>> = {
  features: 'numbers',
  logits: 'numbers',
  probabilities: 'numbers between 0 and 1',
};
