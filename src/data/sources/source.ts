/** What is found at `--data`: which splits there are, each opened when it is asked for. */
import { DataError } from '../data-error.ts';
import type { DataReport, Dataset, Split } from '../dataset.ts';
import type { Fingerprint } from '../splits/identical-files.ts';

export interface OpenOptions {
  /** With fewer classes the data set is refused: to train on one class, there is nothing to tell apart. */
  readonly fewestClasses: number;
  /** Whether a stream may be opened, of which images cannot be read one by one. */
  readonly mayStream?: boolean;
  /** Told before something takes long that is done once: all headers are read. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** A data set in one of the forms in which people have them. Images are listed when a part of it is opened. */
export interface Source {
  /** Its form, in the plural where it has parts: `class folders`, `tar shards`. */
  readonly kind: string;
  /** As it is called in messages: `photos`. */
  readonly name: string;
  /** The splits that it has; empty where it is only images, which serve for all. */
  readonly splits: readonly Split[];
  /** How a split is called here, for messages: `val` of `photos/val`. */
  nameOf(split: Split): string;
  /** What a split would be that is not there: `a folder 'test' or 'val' with class folders`. */
  expected(split: Split): string;
  /** Opens a split, or `all` where there are none. @throws DataError */
  open(split: Split | 'all', options: OpenOptions): Promise<Dataset>;
  /** What was found out and left out before any split was opened. */
  readonly report: DataReport;
  /** By what identical images of one of its data sets are found: the cheapest first. */
  fingerprints(dataset: Dataset): readonly Fingerprint[];
}

/** What a training trains on: the split, or all where there are none. @throws DataError where there are only other splits */
export function trainingPart(source: Source): 'train' | 'all' {
  if (source.splits.length === 0) return 'all';
  if (source.splits.includes('train')) return 'train';
  throw new DataError(
    `${source.name}: expected ${source.expected('train')} beside ${source.splits.map((split) => source.nameOf(split)).join(' and ')}`,
  );
}
