/** The most probable classes of a row of probabilities. */

export interface Ranked {
  readonly label: number;
  readonly probability: number;
}

/** The k most probable classes of row `row`, most probable first; ties go to the smaller label. */
export function topClasses(
  probabilities: Float32Array | Float64Array,
  { row = 0, classes, k }: { row?: number; classes: number; k: number },
): Ranked[] {
  const values = probabilities.subarray(row * classes, (row + 1) * classes);
  return Array.from(values, (probability, label) => ({ label, probability }))
    .sort((a, b) => b.probability - a.probability || a.label - b.label)
    .slice(0, k);
}
