/**
 * ImageNet as it is distributed: folders called by synsets, whose names are in a list; `ILSVRC/Data/CLS-LOC` of Kaggle's archive; validation
 * images in one folder with their labels in a file.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { withDecisions } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { listFolder } from '../folders/scan-folder.ts';
import { uniqueNames } from '../labels/class-names.ts';
import { folderSource } from '../sources/folder-source.ts';
import type { Source } from '../sources/source.ts';
import { ofEncoded } from '../splits/identical-files.ts';
import { findSynsetNames, isSynset, nameLists } from './synset-names.ts';
import { isValidationFolder, openValidationImages } from './validation-images.ts';

const kaggle = join('ILSVRC', 'Data', 'CLS-LOC');

/** Undefined for what is not called by synsets. @throws DataError */
export async function imagenetSource(source: string): Promise<Source | undefined> {
  const nested = join(source, kaggle);
  const isNested = (await folders(nested)).includes('train');
  const root = isNested ? nested : source;
  const whole = resolve(root);
  // Lists lie beside the images, above them, or in the devkit.
  const beside = [root, ...(isNested ? [source] : []), dirname(whole), ...(await devkits([root, source]))];
  const decisions = isNested ? [`${source}: the images are those of ${nested}`] : [];
  if (await isValidationFolder(root))
    return {
      kind: "ImageNet's validation images",
      name: root,
      splits: [],
      nameOf: () => basename(whole),
      expected: (split) => `a folder '${split}'`,
      open: async () => named(await openValidationImages(root, beside), beside),
      report: { leftOut: [], decisions },
      fingerprints: ofEncoded,
    };
  const names = await folders(root);
  const train = names.find((name) => name.toLowerCase() === 'train');
  const classes = train === undefined ? names : await folders(join(root, train));
  if (!classes.some(isSynset)) return undefined;
  const base = await folderSource(root);
  const flat = base.splits.includes('validation') ? undefined : await flatValidation(root, names);
  if (!flat)
    return {
      ...base,
      kind: 'synset folders',
      open: async (split, options) => named(await base.open(split, options), beside),
      report: { ...base.report, decisions: [...decisions, ...base.report.decisions] },
    };
  return {
    ...base,
    kind: 'synset folders',
    splits: [...base.splits, 'validation'],
    nameOf: (split) => (split === 'validation' ? basename(flat) : base.nameOf(split)),
    open: async (split, options) =>
      named(
        split === 'validation'
          ? await openValidationImages(flat, [flat, ...beside])
          : await base.open(split, options),
        beside,
      ),
    report: {
      leftOut: base.report.leftOut.flatMap((each) => {
        const examples = each.examples.filter((name) => name !== basename(flat));
        const count = each.count - (each.examples.length - examples.length);
        return count > 0 ? [{ ...each, examples, count }] : [];
      }),
      decisions: [...decisions, ...base.report.decisions],
    },
  };
}

const folders = async (folder: string): Promise<readonly string[]> =>
  (await listFolder(folder).catch(() => undefined))?.folders ?? [];

async function flatValidation(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of ['val', 'valid', 'validation'])
    if (names.includes(name) && (await isValidationFolder(join(root, name)))) return join(root, name);
  return undefined;
}

/** `ILSVRC2012_devkit_t12/data` beside or above the images. */
async function devkits(roots: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const root of new Set(roots.flatMap((each) => [each, dirname(resolve(each))])))
    for (const name of await folders(root))
      if (/devkit/i.test(name)) found.push(join(root, name), join(root, name, 'data'));
  return found;
}

/** The data set under the names that people read, known by synset. */
async function named(dataset: Dataset, beside: readonly string[]): Promise<Dataset> {
  const { name, classes } = dataset;
  if (!classes.every(isSynset)) return dataset;
  const list = await findSynsetNames(beside);
  if (!list)
    return withDecisions({ ...dataset, classIds: classes }, [
      `${name}: classes are called by their synsets; a list beside them (${nameLists[0]}) would name them`,
    ]);
  const lacking = classes.filter((synset) => !list.names.has(synset));
  const { classes: unique } = uniqueNames(classes.map((id) => ({ id, name: list.names.get(id) })));
  return withDecisions({ ...dataset, classes: unique, classIds: classes }, [
    `${name}: class names from ${list.path}${lacking.length > 0 ? `, but for ${lacking.length} that it does not have (${lacking.slice(0, 3).join(', ')})` : ''}`,
  ]);
}
