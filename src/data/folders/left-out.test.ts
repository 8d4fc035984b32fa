/** Folders as people have them. The files are empty: they are listed, not decoded. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeReport } from '../data-report.ts';
import type { Dataset, Split } from '../dataset.ts';
import { isUnlabelled, openData } from '../open-data.ts';
import { openLabelledFolder, openUnlabelledFolder } from './image-folder.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-folders-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Makes files; a name that ends in a slash is an empty folder. */
async function make(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const whole = join(root, path);
    await mkdir(path.endsWith('/') ? whole : dirname(whole), { recursive: true });
    if (!path.endsWith('/')) await writeFile(whole, '');
  }
}

/** The classes, the files and what is said, relative to the folder. */
async function open(
  split: Split,
  folder = '',
  opening: (root: string, split: Split) => Promise<Dataset> = openData,
) {
  const data = await opening(join(root, folder), split);
  const files = Array.from({ length: data.length }, (_, index) => relative(root, data.nameOf(index)));
  const said = describeReport(data).map((line) => line.replaceAll(root, 'ROOT'));
  return { name: relative(root, data.name), classes: data.classes, files, said };
}

describe('a class', () => {
  it('has the images of its sub-folders, after its own', async () => {
    await make('cat/2024/b.jpg', 'cat/2024/05/c.jpg', 'cat/z.jpg', 'dog/a.jpg');
    expect(await open('train')).toMatchObject({
      classes: ['cat', 'dog'],
      files: ['cat/z.jpg', 'cat/2024/b.jpg', 'cat/2024/05/c.jpg', 'dog/a.jpg'],
      said: ['ROOT: 2 of its images are in sub-folders of their class, and are read'],
    });
  });

  it('has images of every format that can be read, in upper case too; other files are counted', async () => {
    await make('cat/a.JPEG', 'cat/b.Tif', 'cat/c.gif', 'cat/d.avif', 'cat/e.bmp', 'cat/f.bmp', 'cat/README');
    await make('dog/a.webp', 'dog/notes.txt', 'dog/._a.webp', 'dog/.DS_Store');
    const { files, said } = await open('train');
    expect(files).toEqual(['cat/a.JPEG', 'cat/b.Tif', 'cat/c.gif', 'cat/d.avif', 'dog/a.webp']);
    expect(said).toEqual([
      'ROOT: left out 2 .bmp files (cat/e.bmp, cat/f.bmp), 2 hidden files (dog/.DS_Store, dog/._a.webp), 1 .txt file (dog/notes.txt), 1 file without an ending (cat/README)',
    ]);
  });

  it('is refused if nothing in it can be read but something should be', async () => {
    await make('cat/a.jpg', 'dog/b.jpg', 'owl/a.bmp', 'owl/b.heic');
    await expect(open('train')).rejects.toThrow(/owl: none of its 2 images can be read \(.*owl\/a\.bmp, …\)/);
  });

  it('is not a folder without images, of the system, or of training runs', async () => {
    await make('cat/a.jpg', 'dog/a.jpg', 'empty/', 'notes/readme.md', '__MACOSX/cat/._a.jpg', '.git/a.jpg');
    await make('runs/a/config.json', 'runs/a/checkpoints/', 'runs/a/gallery.png', 'dog/run/config.json');
    await make('dog/run/checkpoints/x.png');
    const { classes, files, said } = await open('train');
    expect(classes).toEqual(['cat', 'dog']);
    expect(files).toEqual(['cat/a.jpg', 'dog/a.jpg']);
    expect(said).toEqual([
      "ROOT: left out 3 folders without images (empty, notes, runs), 2 folders of training runs (dog/run, runs/a), 1 .md file (notes/readme.md), 1 folder of the system's own (__MACOSX), 1 hidden folder (.git)",
    ]);
  });

  it('may hold a link that leads back', async () => {
    await make('cat/a.jpg', 'dog/a.jpg');
    await symlink(join(root, 'cat'), join(root, 'cat', 'again'));
    await symlink(join(root, 'gone.jpg'), join(root, 'dog', 'b.jpg'));
    const { files, said } = await open('train');
    expect(files).toEqual(['cat/a.jpg', 'dog/a.jpg']);
    expect(said).toEqual([
      'ROOT: left out 1 broken link (dog/b.jpg), 1 link back to a folder above them (cat/again)',
    ]);
  });
});

describe('a split', () => {
  const split = (name: string) => [`${name}/cat/a.jpg`, `${name}/dog/a.jpg`];

  it.each([
    [['train', 'val', 'test'], 'validation', 'val', []],
    [['train', 'val', 'test'], 'test', 'test', ['ROOT: evaluated on test; val is not used here']],
    [['train', 'valid'], 'validation', 'valid', []],
    [['Train', 'Valid'], 'train', 'Train', []],
    [['training', 'testing'], 'test', 'testing', []],
    [['train', 'valid'], 'test', 'valid', ['ROOT: has no test split, so that valid is used']],
    [
      ['train', 'val', 'validation'],
      'train',
      'train',
      ['ROOT: val is its validation split; validation is not used'],
    ],
  ] as const)('of %j for %s is %s', async (folders, asked, expected, said) => {
    await make(...folders.flatMap(split));
    expect(await open(asked)).toMatchObject({ name: expected, said });
  });

  it('is only a folder of class folders: a class may be called train', async () => {
    await make('bus/a.jpg', 'car/a.jpg', 'train/a.jpg', 'train/steam/b.jpg');
    expect((await open('train')).classes).toEqual(['bus', 'car', 'train']);
  });

  it('leaves out what lies beside it', async () => {
    await make(...split('train'), ...split('val'), 'unlabelled/a.jpg', 'train/stray.jpg');
    expect((await open('train')).said).toEqual([
      'ROOT/train: left out 1 folder beside those of the splits (unlabelled), 1 image beside the class folders (stray.jpg)',
    ]);
  });

  it('is missed by name', async () => {
    await make(...split('train'), 'test/a.jpg');
    await expect(open('validation')).rejects.toThrow(
      "expected a folder 'val' with class folders; openSplits takes validation images from those of training",
    );
    await expect(open('test')).rejects.toThrow(
      `expected a folder 'test' or 'val' with class folders beside train; the images of training are those of ${root}/train`,
    );
  });

  it('of training is missed by name beside another', async () => {
    await make(...split('val'), 'other/a.jpg');
    await expect(open('train')).rejects.toThrow(
      "expected a folder 'train' or 'training' with class folders beside val",
    );
  });

  it('without classes does not become a class', async () => {
    await make('train/a.jpg', 'test/b.jpg', 'empty/');
    await expect(open('train')).rejects.toThrow(
      'expected class folders in test and train, received images without classes or none',
    );
  });

  it('is the whole folder if there are none', async () => {
    await make('cat/a.jpg', 'dog/a.jpg');
    for (const each of ['train', 'test'] as const)
      expect(await open(each)).toMatchObject({ name: '', said: [] });
    await expect(open('validation')).rejects.toThrow("expected a folder 'val' with class folders");
  });

  it('one folder deeper is pointed out', async () => {
    await make('photos/cat/a.jpg', 'photos/dog/a.jpg');
    await expect(open('train')).rejects.toThrow(
      `expected at least two class folders with images, received only 'photos'; the class folders seem to be those of ${root}/photos`,
    );
  });
});

describe('images without labels', () => {
  it('are those of a folder and its sub-folders', async () => {
    await make('a.jpg', 'more/b.jpg', 'c.txt');
    expect(await isUnlabelled(root)).toBe(true);
    expect(await open('train', '', openUnlabelledFolder)).toMatchObject({
      classes: [],
      files: ['a.jpg', 'more/b.jpg'],
      said: ['ROOT: left out 1 .txt file (c.txt)'],
    });
  });

  it('are not one stray image beside class folders', async () => {
    await make('stray.jpg', 'cat/a.jpg', 'dog/a.jpg');
    expect(await isUnlabelled(root)).toBe(false);
  });
});

describe('a file of labels', () => {
  it('has its lines that name no image said with what else is left out', async () => {
    await make('a.jpg', 'b.jpg', 'more/c.jpg');
    const labels = join(root, 'labels.csv');
    await writeFile(labels, 'a.jpg,cat\nb.jpg,dog\ngone.jpg,cat\n');
    const { said } = await open('test', '', (folder) => openLabelledFolder(folder, labels));
    expect(said).toEqual([
      "ROOT/labels.csv: 1 of its 3 lines name no image (the first: 'gone.jpg')",
      'ROOT: left out 1 .csv file (labels.csv), 1 folder beside the labelled images (more)',
    ]);
  });
});
