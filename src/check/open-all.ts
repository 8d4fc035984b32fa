/** Opens every split of a data set, to be checked as a whole. */
import { withReport } from '../data/data-report.ts';
import type { Dataset, Split } from '../data/dataset.ts';
import { findSource } from '../data/sources/find-source.ts';
import type { Source } from '../data/sources/source.ts';
import type { Fingerprint } from '../data/splits/identical-files.ts';

/** A split as it lies in the folder; `images` where there are no folders of splits. */
export interface NamedSplit {
  readonly name: Split | 'images';
  readonly dataset: Dataset;
}

/** All images of a data set, one after the other. */
export interface AllImages {
  readonly splits: readonly NamedSplit[];
  /** Of all splits, sorted. */
  readonly classes: readonly string[];
  readonly length: number;
  /** Fingerprints by which identical images are found. */
  readonly fingerprints: readonly Fingerprint[];
  at(index: number): { readonly split: NamedSplit; readonly index: number };
}

/** @throws DataError for a folder in which nothing can be used. */
export async function openAll(source: string): Promise<AllImages> {
  const found = await findSource(source);
  const splits = await openEach(found);
  const starts: number[] = [];
  let length = 0;
  for (const { dataset } of splits) {
    starts.push(length);
    length += dataset.length;
  }
  const at = (index: number) => {
    const which = starts.findLastIndex((start) => start <= index);
    return { split: splits[which] as NamedSplit, index: index - (starts[which] as number) };
  };
  const printsOf = new Map(splits.map((split) => [split, found.fingerprints(split.dataset)]));
  const [prints = []] = printsOf.values();
  const fingerprints = prints.map(
    (_, level): Fingerprint =>
      async (index) => {
        const { split, index: inside } = at(index);
        return printsOf.get(split)?.[level]?.(inside);
      },
  );
  const classes = [...new Set(splits.flatMap(({ dataset }) => dataset.classes))].sort();
  return { splits, classes, length, fingerprints, at };
}

async function openEach(source: Source): Promise<NamedSplit[]> {
  if (source.splits.length === 0)
    return [
      {
        name: 'images',
        dataset: withReport(await source.open('all', { fewestClasses: 2 }), source.report),
      },
    ];
  const splits: NamedSplit[] = [];
  for (const name of source.splits) {
    // What a split lacks is a finding, and no reason to look at none.
    const dataset = await source.open(name, { fewestClasses: name === 'train' ? 2 : 1 });
    // Said once.
    splits.push({ name, dataset: splits.length === 0 ? withReport(dataset, source.report) : dataset });
  }
  return splits;
}
