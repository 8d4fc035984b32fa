/** Weights that are not numbers: libtorch's ReLU on the CPU turns them into zeros, so that no result shows them. */

/** What is wrong with a tensor that holds a NaN or an infinity: its name, the first such value and where it is. */
export function nonFinite(name: string, values: Float32Array): string | undefined {
  let sum = 0;
  // A number times zero is zero, all others NaN: a loop without a branch is as fast as memory.
  for (let index = 0; index < values.length; index++) sum += (values[index] as number) * 0;
  if (sum === 0) return undefined;
  const first = values.findIndex((value) => !Number.isFinite(value));
  return `'${name}' holds ${values[first]} (element ${first} of ${values.length})`;
}
