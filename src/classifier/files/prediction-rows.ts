/** What a file of predictions is, the same in every format: rows, their columns and cells, and who writes them. Pure. */
import type { Classification, Classifications } from '../classification.ts';

/** One image with its most probable labels. */
export interface PredictionRow {
  /** As it was named, or found in a folder. */
  readonly file: string;
  readonly labels: Classifications;
}

export interface PredictionWriter {
  /** Files whose rows are there already. */
  readonly known: ReadonlySet<string>;
  add(row: PredictionRow): void;
  /** Waits until all rows are written; of an incomplete `.parquet`, which no program could read, none are. */
  close(end: { readonly complete: boolean }): Promise<void>;
}

export interface WriterOptions {
  /** How the predictions are made, for `FILE.json`: a file is continued only in the same way. */
  readonly description: object;
  readonly classes: readonly string[];
  /** Labels of each row. */
  readonly top: number;
  /** Keep the rows that are there. Without it, an existing file is refused. */
  readonly resume: boolean;
}

/** `file`, then `label` and `probability` of the most probable class, then `label_2`, `probability_2`, …. */
export const columnsOf = (top: number): readonly string[] => [
  'file',
  ...Array.from({ length: top }, (_, at) => (at === 0 ? '' : `_${at + 1}`)).flatMap((suffix) => [
    `label${suffix}`,
    `probability${suffix}`,
  ]),
];

/** The cells of a row; seven digits are all that float32 has. */
export const cellsOf = (
  { file, labels }: PredictionRow,
  unique: UniqueLabel,
): readonly (string | number)[] => [
  file,
  ...labels.flatMap((each) => [unique(each), +each.probability.toPrecision(7)]),
];

export type UniqueLabel = (classification: Classification) => string;

/** A label that names one class: two of ImageNet's are cranes, which become `crane (n03126707, output 517)`. */
export function uniqueLabels(classes: readonly string[]): UniqueLabel {
  const counts = new Map<string, number>();
  for (const label of classes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return ({ label, index, id }) =>
    (counts.get(label) ?? 0) > 1 ? `${label} (${id === undefined ? '' : `${id}, `}output ${index})` : label;
}
