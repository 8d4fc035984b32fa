/** Which rows of a trained classifier serve the classes of new data: those of the same label, as Ultralytics keeps them. Pure. */
import { elementCount } from '../../graph/graph.ts';
import type { ModelDescription } from '../../model/description.ts';

/** For each class of the data, the output of the trained classifier that it keeps; undefined where its row is new. */
export type KeptRows = readonly (number | undefined)[];

/**
 * A class is the same if its label is, or the data set's identifier of it (`n01440764`). A label that the trained classifier
 * has twice, as ImageNet's `crane`, says neither.
 */
export function keptRows(
  classes: readonly string[],
  trained: Pick<ModelDescription, 'classes' | 'classIds'>,
): KeptRows {
  const byLabel = uniqueIndices(trained.classes);
  const byId = uniqueIndices(trained.classIds ?? []);
  return classes.map((label) => byLabel.get(label) ?? byId.get(label));
}

function uniqueIndices(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return new Map(labels.flatMap((label, index) => (counts.get(label) === 1 ? [[label, index]] : [])));
}

/** Puts the kept rows of a classifier's weight [classes, features] or bias [classes] over new values. */
export function withKeptRows(
  fresh: Float32Array,
  { trained, rows, shape }: { trained: Float32Array; rows: KeptRows; shape: readonly number[] },
): Float32Array {
  const length = elementCount(shape.slice(1));
  const values = Float32Array.from(fresh);
  for (const [row, from] of rows.entries())
    if (from !== undefined) values.set(trained.subarray(from * length, (from + 1) * length), row * length);
  return values;
}
