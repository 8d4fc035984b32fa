/** ImageNet in the forms in which it is distributed; the files are no images: they are listed, not decoded. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeReport } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { openData } from '../open-data.ts';
import { openSplits } from '../splits/open-splits.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-imagenet-'));
});
afterEach(() => rm(root, { recursive: true }));

async function make(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const said = (data: Dataset) => describeReport(data).map((line) => line.replaceAll(root, 'ROOT'));
const labelsOf = ({ length, label, classIds = [] }: Dataset) =>
  Array.from({ length }, (_, index) => classIds[label(index)]);

const train = (folder = '') => ({
  [`${folder}train/n02012849/n02012849_1.JPEG`]: 'a',
  [`${folder}train/n01440764/n01440764_1.JPEG`]: 'b',
  [`${folder}train/n03126707/n03126707_1.JPEG`]: 'c',
});
const flat = (folder: string) =>
  Object.fromEntries(
    [1, 2, 3].map((number) => [`${folder}/ILSVRC2012_val_0000000${number}.JPEG`, `${number}`]),
  );
const mapping = 'n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n';

/** A list of 1000 synsets among which these are the first, the second and the last. */
const thousand = [
  'n01440764',
  'n02012849',
  ...Array.from({ length: 997 }, (_, index) => `n0300${String(index).padStart(4, '0')}`),
  'n03126707',
]
  .map((synset) => `${synset} name of ${synset}`)
  .join('\n');

describe('synset folders', () => {
  it('have the names of the list that lies beside them, and keep their synsets', async () => {
    await make({ ...train(), 'LOC_synset_mapping.txt': mapping });
    const data = await openData(root, 'train');
    expect([data.classes, data.classIds]).toEqual([
      ['tench, Tinca tinca', 'crane (n02012849)', 'crane (n03126707)'],
      ['n01440764', 'n02012849', 'n03126707'],
    ]);
    expect(said(data)).toEqual(['ROOT/train: class names from ROOT/LOC_synset_mapping.txt']);
  });

  it.each([
    ['words.txt', 'n01440764\ttench, Tinca tinca\nn02012849\theron\nn03126707\tcrane'],
    [
      'imagenet_class_index.json',
      '{"0": ["n01440764", "tench, Tinca tinca"], "1": ["n02012849", "heron"], "2": ["n03126707", "crane"]}',
    ],
    ['synset_words.txt', 'n01440764 tench, Tinca tinca\nn02012849 heron\nn03126707 crane\n'],
  ])('have the names of %s', async (list, text) => {
    await make({ ...train(), [list]: text });
    expect((await openData(root, 'train')).classes).toEqual(['tench, Tinca tinca', 'heron', 'crane']);
  });

  it('without a list are called by their synsets, which is said', async () => {
    await make(train());
    const data = await openData(root, 'train');
    expect(data.classes).toEqual(['n01440764', 'n02012849', 'n03126707']);
    expect(said(data)).toEqual([
      'ROOT/train: classes are called by their synsets; a list beside them (LOC_synset_mapping.txt) would name them',
    ]);
    await make({ 'words.txt': 'tench\n' });
    await expect(openData(root, 'train')).rejects.toThrow(
      "words.txt: line 1: expected a synset and its name, such as 'n01440764 tench', received 'tench'",
    );
  });
});

describe("Kaggle's archive", () => {
  it('is entered where it is unpacked; its validation images have the labels of LOC_val_solution.csv', async () => {
    const inside = 'ILSVRC/Data/CLS-LOC/';
    await make({
      ...train(inside),
      ...flat(`${inside}val`),
      [`${inside}test/ILSVRC2012_test_00000001.JPEG`]: 't',
      'LOC_synset_mapping.txt': mapping,
      'LOC_val_solution.csv':
        'ImageId,PredictionString\nILSVRC2012_val_00000002,n01440764 1 2 3 4 \nILSVRC2012_val_00000001,n03126707 1 2 3 4 n03126707 5 6 7 8 \nILSVRC2012_val_00000003,n03126707 1 2 3 4 \n',
    });
    const { train: images, validation, test, validationFrom } = await openSplits(root);
    expect([images.length, test, validationFrom]).toEqual([3, undefined, 'folder']);
    expect(images.classes[0]).toBe('tench, Tinca tinca');
    expect(labelsOf(validation as Dataset)).toEqual(['n03126707', 'n01440764', 'n03126707']);
    expect(said(images)[0]).toBe('ROOT: the images are those of ROOT/ILSVRC/Data/CLS-LOC');
  });
});

describe('the folder of validation images', () => {
  it.each([
    ['imagenet_2012_validation_synset_labels.txt', 'n03126707\nn01440764\nn02012849\n', {}],
    [
      'val.txt',
      'ILSVRC2012_val_00000001.JPEG 999\nILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000003.JPEG 1\n',
      { 'synset_words.txt': thousand },
    ],
    [
      'ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt',
      '1\n3\n2\n',
      {
        'ILSVRC2012_devkit_t12/data/map_clsloc.txt':
          'n03126707 1 crane\nn02012849 2 crane\nn01440764 3 tench\n',
      },
    ],
  ])('has the labels of %s', async (file, text, more) => {
    await make({ ...flat('val'), [file]: text, ...more });
    const data = await openData(join(root, 'val'), 'test');
    expect(labelsOf(data)).toEqual(['n03126707', 'n01440764', 'n02012849']);
  });

  it('is refused with what is missing', async () => {
    await make(flat('val'));
    const open = () => openData(join(root, 'val'), 'test');
    await expect(open()).rejects.toThrow(
      "val: holds ImageNet's validation images, whose labels are in a file of their own; expected one of LOC_val_solution.csv, imagenet_2012_validation_synset_labels.txt, val.txt, ILSVRC2012_validation_ground_truth.txt in ",
    );
    await make({ 'val/ILSVRC2012_validation_ground_truth.txt': '1\n3\n2\n' });
    await expect(open()).rejects.toThrow(
      "its labels are the devkit's own numbers, whose synsets are in meta.mat, which is not read, and not in the order of names; expected map_clsloc.txt",
    );
    await make({
      'val.txt':
        'ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000003.JPEG 1\n',
      'LOC_synset_mapping.txt': mapping,
    });
    await expect(open()).rejects.toThrow(
      "val.txt: its labels are places among ImageNet's 1000 synsets; expected a list of them",
    );
    await make({ 'imagenet_2012_validation_synset_labels.txt': 'n03126707\nn01440764\n' });
    await expect(open()).rejects.toThrow('2 labels for 3 images');
  });
});
