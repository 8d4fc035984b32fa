/** What a data set left out and decided, to be said once and recorded. Pure. */
import type { DataReport, Dataset, LeftOut } from './dataset.ts';

/** A data set as a run records it. */
export interface DataSummary extends DataReport {
  readonly name: string;
  readonly images: number;
  /** Images of each class, in the order of the classes; empty for a stream that nobody has counted. */
  readonly perClass: readonly (readonly [name: string, images: number])[];
}

const maxExamples = 3;

/** Collects what is left out while a folder is read. */
export class LeftOutCounter {
  readonly #counts = new Map<string, { count: number; examples: string[] }>();

  add(what: string, example: string): void {
    const entry = this.#counts.get(what) ?? { count: 0, examples: [] };
    entry.count++;
    if (entry.examples.length < maxExamples) entry.examples.push(example);
    this.#counts.set(what, entry);
  }

  /** The most frequent first. */
  list(): LeftOut[] {
    return [...this.#counts]
      .map(([what, { count, examples }]) => ({ what, count, examples }))
      .sort((a, b) => b.count - a.count || (a.what < b.what ? -1 : 1));
  }
}

/** `24 .bmp files`, `1 folder without images`. */
export const countOf = (count: number, what: string): string =>
  `${count} ${count === 1 ? what.replace(/\b(file|folder|image|link|shard|member|label)s\b/, '$1') : what}`;

/** One line: `photos/train: left out 24 .bmp files (cat/a.bmp, …), 1 folder without images (empty)`; undefined if nothing was. */
export function describeLeftOut(name: string, leftOut: readonly LeftOut[]): string | undefined {
  if (leftOut.length === 0) return undefined;
  const parts = leftOut.map(
    ({ what, count, examples }) =>
      `${countOf(count, what)} (${examples.join(', ')}${examples.length < count ? ', …' : ''})`,
  );
  return `${name}: left out ${parts.join(', ')}`;
}

/** Everything to be said of a data set besides its size, one line each. */
export function describeReport({ name, report }: Dataset): string[] {
  if (!report) return [];
  const leftOut = describeLeftOut(name, report.leftOut);
  return [...report.decisions, ...(leftOut === undefined ? [] : [leftOut])];
}

/** The data set with more to be said of it. */
export function withDecisions(dataset: Dataset, added: readonly string[]): Dataset {
  const { leftOut = [], decisions = [] } = dataset.report ?? {};
  return { ...dataset, report: { leftOut, decisions: [...decisions, ...added] } };
}

/** The data set with what was found before it was opened, which is said first. */
export function withReport(dataset: Dataset, before: DataReport): Dataset {
  const { leftOut = [], decisions = [] } = dataset.report ?? {};
  return {
    ...dataset,
    report: {
      leftOut: [...before.leftOut, ...leftOut].sort((a, b) => b.count - a.count),
      decisions: [...before.decisions, ...decisions],
    },
  };
}

/** Counts the images of every class. */
export function summarise(dataset: Dataset): DataSummary {
  const { name, length, classes, stream, report } = dataset;
  const counts = stream ? stream.perClass : countLabels(dataset);
  return {
    name,
    images: length,
    perClass: counts ? classes.map((label, index) => [label, counts[index] as number]) : [],
    leftOut: report?.leftOut ?? [],
    decisions: report?.decisions ?? [],
  };
}

function countLabels({ length, classes, label }: Dataset): Uint32Array {
  const counts = new Uint32Array(classes.length);
  for (let index = 0; index < length; index++) {
    const of = label(index);
    counts[of] = (counts[of] ?? 0) + 1;
  }
  return counts;
}

/** `3 classes of 12 images`, `3 classes of 3 (owl) to 60 (cat) images`. */
export function describeClasses({ perClass }: DataSummary): string {
  const sorted = [...perClass].sort((a, b) => a[1] - b[1]);
  const [fewest, most] = [sorted[0], sorted.at(-1)];
  if (!fewest || !most) return 'not counted';
  const range =
    fewest[1] === most[1]
      ? `${most[1]} images each`
      : `${fewest[1]} (${fewest[0]}) to ${most[1]} (${most[0]}) images`;
  return `${perClass.length} classes of ${range}`;
}

/** What was left out in several places, the same reasons added up; the most frequent first. */
export function addUpLeftOut(all: readonly LeftOut[]): LeftOut[] {
  const sums = new Map<string, LeftOut>();
  for (const { what, count, examples } of all) {
    const sum = sums.get(what);
    sums.set(what, {
      what,
      count: count + (sum?.count ?? 0),
      examples: [...(sum?.examples ?? []), ...examples].slice(0, maxExamples),
    });
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}
