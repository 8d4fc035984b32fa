/** Opens every split of a data set, to be checked as a whole. */
import type { Dataset, Split } from '../data/dataset.ts';
import { openFashionMnist } from '../data/fashion-mnist/fashion-mnist.ts';
import { findSplits } from '../data/folders/find-splits.ts';
import { openClassFolders } from '../data/folders/image-folder.ts';
import { type Fingerprint, ofFiles, ofPixels } from '../data/splits/identical-files.ts';

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
  const splits = await openEach(source);
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
  const printsOf = new Map(
    splits.map((split) => [
      split,
      source === 'fashion-mnist' ? ofPixels(split.dataset) : ofFiles(split.dataset),
    ]),
  );
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

async function openEach(source: string): Promise<NamedSplit[]> {
  if (source === 'fashion-mnist')
    return [
      { name: 'train', dataset: await openFashionMnist('train') },
      { name: 'test', dataset: await openFashionMnist('test') },
    ];
  const { root, folders, decisions, otherFolders } = await findSplits(source);
  const names = (['train', 'validation', 'test'] as const).filter((name) => folders[name] !== undefined);
  if (names.length === 0) return [{ name: 'images', dataset: await openClassFolders(root) }];
  const splits: NamedSplit[] = [];
  for (const name of names)
    splits.push({
      name,
      dataset: await openClassFolders(folders[name] as string, {
        // What a split lacks is a finding, and no reason to look at none.
        fewestClasses: name === 'train' ? 2 : 1,
        // Said once.
        ...(splits.length === 0 && { decisions, otherFolders }),
      }),
    });
  return splits;
}
