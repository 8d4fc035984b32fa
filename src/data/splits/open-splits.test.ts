/** Folders as people have them. The files are no images: they are listed and compared, not decoded. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeReport } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { openEvaluationImages } from './evaluation-images.ts';
import { openSplits } from './open-splits.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-splits-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Makes files, each with its name or a given text as content. */
async function make(files: Readonly<Record<string, string>> | readonly string[]): Promise<void> {
  const entries: readonly (readonly [string, string])[] = Array.isArray(files)
    ? files.map((name) => [name, name] as const)
    : Object.entries(files);
  for (const [name, text] of entries) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const images = (folder: string) =>
  ['cat', 'dog'].flatMap((name) => Array.from({ length: 20 }, (_, index) => `${folder}${name}/${index}.jpg`));

const filesOf = (data: Dataset) =>
  Array.from({ length: data.length }, (_, index) => relative(root, data.nameOf(index)));
const said = (data: Dataset) => describeReport(data).map((line) => line.replaceAll(root, 'ROOT'));

describe('few images', () => {
  it('of one class in a folder to evaluate on are enough', async () => {
    await make(['train/cat/0.jpg', 'train/dog/0.jpg', 'val/cat/1.jpg', 'test/dog/2.jpg']);
    const { validation, test } = await openSplits(root);
    expect([validation?.classes, test?.classes]).toEqual([['cat'], ['dog']]);
  });

  it('of one class are nothing to train on', async () => {
    await make(['train/cat/0.jpg', 'val/cat/1.jpg']);
    await expect(openSplits(root)).rejects.toThrow(
      "train: expected at least two class folders with images, received only 'cat', and with one class there is nothing to tell apart",
    );
  });
});

describe('the splits of a folder', () => {
  it.each([
    ['of class folders', ''],
    ['with train alone', 'train/'],
  ])('%s: validation images are some of those of training, which is said', async (_, folder) => {
    await make(images(folder));
    const { train, validation, test, validationFrom } = await openSplits(root);
    const [trained, kept] = [filesOf(train), filesOf(validation as Dataset)];
    expect([...trained, ...kept].sort()).toEqual(images(folder).sort());
    expect([test, validationFrom]).toEqual([undefined, 0.2]);
    const name = folder === '' ? 'ROOT' : 'ROOT/train';
    expect(said(validation as Dataset)).toEqual([
      `${name}: has no validation images of its own, so that ${kept.length} of its 40 images are validation images (about 0.2 of each class, by a hash of the path)`,
    ]);
    expect(train.name).toBe(`${join(root, folder).replace(/\/$/, '')} (training)`);
    for (const data of [train, validation as Dataset])
      filesOf(data).forEach((file, index) => {
        expect(file).toContain(`${data.classes[data.label(index)]}/`);
      });
  });

  it('are the same wherever the folder is, with train/ or without', async () => {
    await make([...images('a/train/'), ...images('b/')]);
    const [first, second] = await Promise.all(
      ['a', 'b'].map(async (name) => filesOf((await openSplits(join(root, name))).validation as Dataset)),
    );
    expect(first?.map((file) => file.replace('a/train/', ''))).toEqual(
      second?.map((file) => file.replace('b/', '')),
    );
  });

  it('are its folders where it has them; a test does not serve as validation', async () => {
    await make([...images('train/'), ...images('val/'), ...images('test/')]);
    const whole = await openSplits(root);
    expect([whole.train, whole.validation, whole.test].map((data) => data?.length)).toEqual([40, 40, 40]);
    expect([whole.validationFrom, said(whole.validation as Dataset)]).toEqual(['folder', []]);
    await rm(join(root, 'val'), { recursive: true });
    const { train, validation, test } = await openSplits(root);
    expect(train.length + (validation?.length ?? 0)).toBe(40);
    expect(test?.name).toBe(join(root, 'test'));
  });

  it('have no validation images for a fraction of 0', async () => {
    await make(images('train/'));
    expect(await openSplits(root, { validation: 0 })).toMatchObject({
      train: { length: 40, name: join(root, 'train') },
      validation: undefined,
      test: undefined,
      validationFrom: 0,
    });
  });

  it('refuse a fraction that has no effect', async () => {
    await make([...images('train/'), ...images('valid/')]);
    await expect(openSplits(root, { validation: 0.1 })).rejects.toThrow(
      `option 'validation': has no effect: the validation images of ${root} are those of valid`,
    );
  });

  it.each([-0.1, 1, 20, Number.NaN])('refuse %s for a fraction', async (validation) => {
    await make(images(''));
    await expect(openSplits(root, { validation })).rejects.toThrow(
      "option 'validation': expected a number of at least 0 and below 1; received",
    );
  });

  it('keep copies on one side, and say which have two labels', async () => {
    const unique = images('');
    const copies = Array.from({ length: 30 }, (_, index) => [`cat/copy${index}.jpg`, `same ${index % 2}`]);
    await make(
      Object.fromEntries([...unique.map((name) => [name, name]), ...copies, ['dog/x.jpg', 'same 0']]),
    );
    const { train, validation } = await openSplits(root, { validation: 0.5 });
    for (const data of [train, validation as Dataset]) {
      const inside = filesOf(data).filter((name) => name.includes('copy'));
      expect([0, 15, 30]).toContain(inside.length);
      if (inside.includes('cat/copy0.jpg')) expect(filesOf(data)).toContain('dog/x.jpg');
    }
    expect(said(validation as Dataset).slice(1)).toEqual([
      'ROOT: 29 images are copies of another, byte for byte (ROOT/cat/copy10.jpg of ROOT/cat/copy0.jpg); copies are on one side',
      'ROOT: 1 of them has another label than the first of its kind (ROOT/dog/x.jpg: dog; ROOT/cat/copy0.jpg: cat)',
    ]);
  });

  it('name a class that is too small for both', async () => {
    await make([...images(''), 'owl/a.jpg']);
    const { train, validation } = await openSplits(root);
    expect(filesOf(train)).toContain('owl/a.jpg');
    expect(said(validation as Dataset)[1]).toBe(
      'ROOT: 1 of its 3 classes has one image, or copies of one, and is in training only (owl)',
    );
  });
});

describe('the images that a model is scored on', () => {
  const trained = (validation?: 'folder' | number) => ({
    source: 'runs/a',
    data: root,
    ...(validation !== undefined && { validation }),
  });

  it('are those that its training kept from it', async () => {
    await make(images('train/'));
    const data = await openEvaluationImages(root, [trained(0.3), { source: 'other' }]);
    const { validation } = await openSplits(root, { validation: 0.3 });
    expect(filesOf(data)).toEqual(filesOf(validation as Dataset));
    expect(said(data)).toEqual([
      `ROOT: has neither test nor val, so that runs/a is evaluated on the ${data.length} validation images that its training kept from it (about 0.3 of each class, by a hash of the path)`,
    ]);
  });

  it('may be of one class, as those that a training is tested on', async () => {
    await make([...images('train/'), 'test/cat/1.jpg']);
    expect((await openSplits(root)).test?.classes).toEqual(['cat']);
    expect((await openEvaluationImages(root, [])).classes).toEqual(['cat']);
  });

  it('say what was decided of the folder, too', async () => {
    await make([...images('train/'), ...images('training/')]);
    const data = await openEvaluationImages(root, [trained(0.3)]);
    expect(said(data)[0]).toBe('ROOT: train is its train split; training is not used');
  });

  it('are told where another model was trained on some of them', async () => {
    await make(images(''));
    const data = await openEvaluationImages(root, [trained(0.3), { ...trained(0.1), source: 'runs/b' }]);
    expect(said(data)[1]).toBe(
      'warning: runs/b was trained on other images of ROOT, among them some of these',
    );
  });

  it.each([undefined, 0])(
    'are those of training, with a warning, if it kept none (%s)',
    async (validation) => {
      await make(images(''));
      const data = await openEvaluationImages(root, [trained(validation)]);
      expect(data.length).toBe(40);
      expect(said(data)).toEqual([
        'warning: runs/a was trained on these very images: their error is that of training, and says little about others',
      ]);
    },
  );

  it('are all images of another folder, and those of test or val', async () => {
    await make([...images('a/'), ...images('b/train/'), ...images('b/val/')]);
    expect((await openEvaluationImages(join(root, 'a'), [trained(0.2)])).length).toBe(40);
    const data = await openEvaluationImages(join(root, 'b'), [
      { ...trained('folder'), data: join(root, 'b') },
    ]);
    expect([data.name, said(data)]).toEqual([
      join(root, 'b', 'val'),
      ['ROOT/b: has no test split, so that val is used'],
    ]);
  });
});
