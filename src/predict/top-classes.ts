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
  const top: Ranked[] = [];
  // Sorted insertion: a list of thousands of classes is not sorted for five of them.
  values.forEach((probability, label) => {
    let place = top.length;
    while (place > 0 && (top[place - 1] as Ranked).probability < probability) place--;
    if (place >= k) return;
    top.splice(place, 0, { label, probability });
    if (top.length > k) top.pop();
  });
  return top;
}
