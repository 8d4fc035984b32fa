/** Opens one split of a data set by name or folder. */
import { DataError } from './data-error.ts';
import { withReport } from './data-report.ts';
import type { Dataset, Split } from './dataset.ts';
import { countClassFolders, listFolder } from './folders/scan-folder.ts';
import { findSource } from './sources/find-source.ts';
import { type Source, trainingPart } from './sources/source.ts';

/**
 * Opens a split of `fashion-mnist` or of a folder of class folders (`ROOT/CLASS/IMAGE`). `train` is every training image, and `validation`
 * a folder of its own: `openSplits` takes validation images from those of training. A folder without a `test` split is tested
 * on `val`, which is said; one without splits serves as `train` and `test`. What is left out is in the data set's `report`.
 * @throws DataError saying what was missing and what to do.
 */
export async function openData(source: string, split: Split): Promise<Dataset> {
  const found = await findSource(source);
  const { part, choice } = partOf(found, split);
  const dataset = await found.open(part, { fewestClasses: part === 'train' || part === 'all' ? 2 : 1 });
  const { leftOut, decisions } = found.report;
  return withReport(dataset, { leftOut, decisions: [...choice, ...decisions] });
}

interface Chosen {
  readonly part: Split | 'all';
  readonly choice: readonly string[];
}

function partOf(source: Source, split: Split): Chosen {
  const { name, splits } = source;
  const [train, validation, test] = (['train', 'validation', 'test'] as const).map((each) =>
    splits.includes(each) ? source.nameOf(each) : undefined,
  );
  if (split === 'train') return { part: trainingPart(source), choice: [] };
  if (split === 'validation') {
    if (validation !== undefined) return { part: 'validation', choice: [] };
    throw new DataError(
      `${name}: expected ${source.expected('validation')}; openSplits takes validation images from those of training`,
    );
  }
  if (test !== undefined) {
    const unused = `${name}: evaluated on ${test}; ${validation} is not used here`;
    return { part: 'test', choice: validation === undefined ? [] : [unused] };
  }
  if (validation !== undefined)
    return {
      part: 'validation',
      choice: [`${name}: has no test split, so that ${validation} is used`],
    };
  if (train === undefined) return { part: 'all', choice: [] };
  throw new DataError(
    `${name}: expected ${source.expected('test')} beside ${train}; the images of training are those of ${name}/${train}`,
  );
}

/** Whether a data set is a folder of images without classes; images beside class folders are left out of these, as everywhere. */
export async function isUnlabelled(source: string): Promise<boolean> {
  // What is no folder is opened, and refused, by whoever reads its images.
  const listing = await listFolder(source).catch(() => undefined);
  if (!listing || listing.images.length === 0) return false;
  return (await countClassFolders(source, { atMost: 2 })) < 2;
}
