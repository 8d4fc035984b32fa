/** The rows that are most similar to one vector. Pure. */
import { normalised } from '../probe/nearest-neighbours.ts';

export interface Neighbour {
  readonly row: number;
  /** Cosine, −1 to 1. */
  readonly similarity: number;
}

/** All rows of `reference`, [rows, features], the most similar first; of equal ones the earlier. */
export function bySimilarity(query: Float32Array, reference: Float32Array): readonly Neighbour[] {
  const length = query.length;
  const [unit, rows] = [normalised(query, length), normalised(reference, length)];
  const found = Array.from({ length: reference.length / length }, (_, row) => {
    let similarity = 0;
    for (let at = 0; at < length; at++)
      similarity += (unit[at] as number) * (rows[row * length + at] as number);
    return { row, similarity };
  });
  return found.sort((a, b) => b.similarity - a.similarity || a.row - b.row);
}
