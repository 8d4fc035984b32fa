/** Folders of class folders, `FOLDER/CLASS/…/IMAGE`, and folders of images with labels elsewhere or without. */
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import { LeftOutCounter } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { decodeImage, imageExtensions } from '../decode.ts';
import { readLabels } from '../labels/image-labels.ts';
import { countClassFolders, listFolder, type ScanOptions, scanImages } from './scan-folder.ts';

/**
 * Opens the class folders in a folder; classes and images are sorted by name, sub-folders of a class are read. What is left out
 * is counted in the data set's report: other files, folders without images, run folders. With one class there is nothing to tell
 * apart, but a folder to evaluate on may lack images of most.
 * @throws DataError naming what is missing.
 */
export async function openClassFolders(
  folder: string,
  { fewestClasses = 2 }: { readonly fewestClasses?: number } = {},
): Promise<Dataset> {
  const leftOut = new LeftOutCounter();
  const classes = await readClasses(folder, { root: folder, leftOut });
  if (classes.length < fewestClasses)
    throw tooFewClasses(folder, { classes, fewestClasses, inner: await nested(folder) });
  const files = classes.flatMap((each) => each.files);
  const labels = classes.flatMap((each, label) => each.files.map(() => label));
  const deeper = classes.reduce((sum, { inSubFolders }) => sum + inSubFolders, 0);
  const inSubFolders =
    deeper === 0
      ? []
      : [`${folder}: ${deeper} of its images are in sub-folders of their class, and are read`];
  return {
    ...imageFiles(folder, files),
    classes: classes.map(({ name }) => name),
    label: (index) => labels[index] as number,
    report: { leftOut: leftOut.list(), decisions: inSubFolders },
  };
}

interface ClassFolder {
  readonly name: string;
  readonly files: readonly string[];
  readonly inSubFolders: number;
}

/** The class folders that hold images. @throws DataError for one whose images are all of formats that cannot be read */
async function readClasses(folder: string, options: ScanOptions): Promise<ClassFolder[]> {
  const { images, folders } = await listFolder(folder, options);
  for (const name of images) options.leftOut.add('images beside the class folders', name);
  const classes: ClassFolder[] = [];
  for (const name of folders) {
    const { unreadable, ...scanned } = await scanImages(join(folder, name), options);
    if (scanned.files.length > 0) classes.push({ name, ...scanned });
    else if (unreadable.length > 0)
      throw new DataError(
        `${join(folder, name)}: none of its ${unreadable.length} images can be read (${unreadable[0]}, …); expected ${imageExtensions.join(', ')}. Convert them, or remove the folder`,
      );
    else options.leftOut.add('folders without images', name);
  }
  return classes;
}

/** The only folder of class folders below a folder: what an unpacked archive often has one level too deep. */
async function nested(folder: string): Promise<string | undefined> {
  const { folders } = await listFolder(folder);
  if (folders.length !== 1) return undefined;
  const inner = join(folder, folders[0] as string);
  return (await countClassFolders(inner, { atMost: 2 })) === 2 ? inner : undefined;
}

function tooFewClasses(
  folder: string,
  {
    classes,
    fewestClasses,
    inner,
  }: { classes: readonly ClassFolder[]; fewestClasses: number; inner: string | undefined },
) {
  const expected = fewestClasses === 1 ? 'a class folder' : 'at least two class folders';
  const received = classes[0] ? `only '${classes[0].name}'` : 'none';
  const reason = classes[0] ? ', and with one class there is nothing to tell apart' : '';
  const hint = inner === undefined ? reason : `; the class folders seem to be those of ${inner}`;
  return new DataError(`${folder}: expected ${expected} with images, received ${received}${hint}`);
}

/** A flat folder with a file of labels; the classes are the sorted labels. @throws DataError */
export async function openLabelledFolder(folder: string, labelsFile: string): Promise<Dataset> {
  const leftOut = new LeftOutCounter();
  const { images, folders } = await listFolder(folder, { root: folder, leftOut });
  for (const name of folders) leftOut.add('folders beside the labelled images', name);
  const files = images.map((name) => join(folder, name));
  if (files.length === 0) throw noImages(folder);
  const { labels: names, notices } = await readLabels(labelsFile, files);
  const classes = sortedLabels(names);
  const classIndex = new Map(classes.map((name, index) => [name, index]));
  return {
    ...imageFiles(folder, files),
    classes,
    label: (index) => classIndex.get(names[index] as string) as number,
    report: { leftOut: leftOut.list(), decisions: notices },
  };
}

/** A folder of images without labels, sub-folders included. @throws DataError */
export async function openUnlabelledFolder(folder: string): Promise<Dataset> {
  const leftOut = new LeftOutCounter();
  const { files } = await scanImages(folder, { root: folder, leftOut });
  if (files.length === 0) throw noImages(folder);
  return {
    ...imageFiles(folder, files),
    classes: [],
    label: () => -1,
    report: { leftOut: leftOut.list(), decisions: [] },
  };
}

const noImages = (folder: string) =>
  new DataError(`${folder}: contains no images (${imageExtensions.join(', ')})`);

const imageFiles = (name: string, files: readonly string[]) => ({
  name,
  length: files.length,
  image: (index: number) => decodeImage(files[index] as string),
  encoded: (index: number) => ({ file: files[index] as string }),
  nameOf: (index: number) => files[index] as string,
});

/** Sorts numbers numerically, names alphabetically. */
function sortedLabels(names: readonly string[]): string[] {
  const unique = [...new Set(names)];
  return unique.every((name) => /^\d+$/.test(name))
    ? unique.sort((a, b) => Number(a) - Number(b))
    : unique.sort();
}
