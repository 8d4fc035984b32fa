/** Which rows of a trained classifier serve the classes of new data: those of the same label, as Ultralytics keeps them. Pure. */
import {
  classifierParameters,
  elementCount,
  type Graph,
  type Parameter,
  parametersAfterFeatures,
} from '../../graph/graph.ts';
import type { ModelDescription } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';

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

/**
 * The rows that a network keeps: none where its classifier reads other hidden layers than the trained one, since a row means
 * nothing for other values.
 */
export function keptRowsOf(
  graph: Graph,
  { classes, model }: { classes: readonly string[]; model: Pick<ModelFile, 'description' | 'graph'> },
): KeptRows {
  return hasSameHidden(graph, model.graph)
    ? keptRows(classes, model.description)
    : classes.map(() => undefined);
}

/** Whether the hidden layers of the classifier are the same, none included. */
export const hasSameHidden = (ours: Graph, theirs: Graph): boolean =>
  hiddenIn(ours).join(' ') === hiddenIn(theirs).join(' ');

const hiddenIn = (graph: Graph): string[] =>
  hiddenParameters(graph).map(({ name, shape }) => `${name}:${shape.join()}`);

/** Parameters of the classifier's hidden layers. */
export function hiddenParameters(graph: Graph): readonly Parameter[] {
  const classifier = new Set(classifierParameters(graph));
  return graph.network.classes === 0
    ? []
    : parametersAfterFeatures(graph).filter((parameter) => !classifier.has(parameter));
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
