/** A folder of class folders, `ROOT/CLASS/IMAGE`, or of `train`, `val` and `test` with class folders. */
import { basename } from 'node:path';
import { LeftOutCounter } from '../data-report.ts';
import type { Split } from '../dataset.ts';
import { findSplits, splitNames } from '../folders/find-splits.ts';
import { openClassFolders } from '../folders/image-folder.ts';
import { ofEncoded } from '../splits/identical-files.ts';
import type { Source } from './source.ts';

/** @throws DataError if there is no such folder, or its splits have no classes */
export async function folderSource(root: string): Promise<Source> {
  const { folders, decisions, otherFolders } = await findSplits(root);
  const leftOut = new LeftOutCounter();
  for (const name of otherFolders) leftOut.add('folders beside those of the splits', name);
  const folderOf = (split: Split | 'all') => (split === 'all' ? root : (folders[split] as string));
  return {
    kind: 'class folders',
    name: root,
    splits: (Object.keys(splitNames) as Split[]).filter((split) => folders[split] !== undefined),
    nameOf: (split) => basename(folderOf(split)),
    expected: (split) => `a folder '${expectedNames[split].join("' or '")}' with class folders`,
    open: (split, options) => openClassFolders(folderOf(split), options),
    report: { leftOut: leftOut.list(), decisions },
    fingerprints: ofEncoded,
  };
}

const expectedNames: Readonly<Record<Split, readonly string[]>> = {
  train: splitNames.train,
  validation: ['val'],
  test: ['test', 'val'],
};
