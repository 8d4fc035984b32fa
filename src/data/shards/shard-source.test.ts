import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesOf } from '../../train/configuration/data-files.ts';
import { describeReport } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { encodePng } from '../decode.ts';
import { findImages } from '../folders/find-images.ts';
import { isUnlabelled, openData } from '../open-data.ts';
import { readMember } from '../read-image-file.ts';
import { absoluteSource } from '../sources/absolute-source.ts';
import { openEvaluationImages } from '../splits/evaluation-images.ts';
import { openSplits } from '../splits/open-splits.ts';
import { cachedIndex, indexName } from './open-index.ts';
import type { ShardedImage } from './shard-images.ts';
import { parseIndex } from './shard-index.ts';
import { tarBytes, type WrittenMember } from './tar/tar-bytes.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shards-'));
});
afterAll(() => rm(root, { recursive: true }));

const png = (value: number) =>
  encodePng({ height: 4, width: 4, channels: 3, data: new Uint8Array(48).fill(value) });

/** A folder of shards, each a list of members. */
async function folderOf(
  name: string,
  shards: Readonly<Record<string, readonly WrittenMember[]>>,
): Promise<string> {
  const folder = join(root, name);
  for (const [shard, members] of Object.entries(shards)) {
    const path = join(folder, shard);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, tarBytes(members));
  }
  return folder;
}

/** Images with a number as a label. */
async function samples(prefix: string, labels: readonly (number | string)[]): Promise<WrittenMember[]> {
  const members: WrittenMember[] = [];
  for (const [at, label] of labels.entries())
    members.push(
      { name: `${prefix}${at}.png`, body: await png(at + prefix.length) },
      { name: `${prefix}${at}.cls`, body: String(label) },
    );
  return members;
}

const namesOf = (dataset: Dataset) =>
  Array.from({ length: dataset.length }, (_, index) => dataset.nameOf(index));
const labelsOf = (dataset: Dataset) =>
  Array.from({ length: dataset.length }, (_, index) => dataset.label(index));
const said = (dataset: Dataset | undefined) =>
  (dataset ? describeReport(dataset) : []).map((line) => line.replaceAll(root, 'ROOT'));
const failure = (opening: Promise<unknown>) =>
  opening.then(
    () => 'no error',
    (error: Error) => error.message.replaceAll(root, 'ROOT'),
  );

describe('shards written by webdataset', () => {
  it('are read as its own reader yields them, byte for byte', async () => {
    const folder = join(root, 'webdataset');
    await cp(join(import.meta.dirname, '../../../test/fixtures/webdataset'), folder, { recursive: true });
    const yielded = JSON.parse(await readFile(join(folder, 'yielded.json'), 'utf8')) as {
      key: string;
      field: string;
      sha256: string;
      label: number | null;
    }[];
    const dataset = await openData(join(folder, 'train-{000000..000002}.tar'), 'train');
    const read = await Promise.all(
      namesOf(dataset).map(async (name, index) => {
        const bytes = await readMember((await dataset.encoded?.(index)) as ShardedImage);
        const path = name.slice(name.indexOf('/') + 1);
        return {
          path,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          label: dataset.label(index),
        };
      }),
    );
    const expected = yielded
      .filter(({ label }) => label !== null)
      .map(({ key, field, sha256, label }) => ({ path: `${key}.${field}`, sha256, label }));
    expect(read).toEqual(expect.arrayContaining(expected));
    expect(read.length).toBe(expected.length);
    expect((await dataset.image(0)).height).toBe(8);
    expect(said(dataset)).toEqual([
      `ROOT/webdataset: the headers of 3 shards were read once; where their images lie is kept in ROOT/webdataset/${indexName}`,
      'ROOT/webdataset/train-{000000..000002}.tar: there is no classes.txt beside the shards, so that the classes are called by their numbers, 0 to 2',
      'ROOT/webdataset/train-00000*.tar: 3 shards, with labels in .cls, .json',
      'ROOT/webdataset/train-00000*.tar: left out 1 image without a label (train-000002.tar/class0/0009.png)',
    ]);
  });
});

describe('shards as a data set', () => {
  it('are divided by their names, with the same classes in each split', async () => {
    const folder = await folderOf('named', {
      'set-train-0.tar': await samples('a', [0, 1, 2]),
      'set-train-1.tar': await samples('bb', [0, 1]),
      'set-val-0.tar': await samples('ccc', [1]),
      'set-test-0.tar': await samples('dddd', [2]),
      'other.tar': await samples('eeeee', [0]),
    });
    await writeFile(join(folder, 'classes.txt'), 'cat\ndog\nowl\n');
    const { train, validation, test, validationFrom } = await openSplits(folder);
    expect(
      [train, validation, test].map((each) => each && [namesOf(each), labelsOf(each), each.classes]),
    ).toEqual([
      [
        [
          'set-train-0.tar/a0.png',
          'set-train-0.tar/a1.png',
          'set-train-0.tar/a2.png',
          'set-train-1.tar/bb0.png',
          'set-train-1.tar/bb1.png',
        ],
        [0, 1, 2, 0, 1],
        ['cat', 'dog', 'owl'],
      ],
      [['set-val-0.tar/ccc0.png'], [1], ['cat', 'dog', 'owl']],
      [['set-test-0.tar/dddd0.png'], [2], ['cat', 'dog', 'owl']],
    ]);
    expect(validationFrom).toBe('folder');
    expect(said(train)).toContain(
      `ROOT/named/set-train-*.tar: left out 1 shard beside those of the splits (ROOT/named/other.tar)`,
    );
    const list = `${folder}/set-train-{0..1}.tar::val=${folder}/other.tar`;
    const named = await openSplits(list);
    expect([named.train.length, named.validation?.length, named.test]).toEqual([5, 1, undefined]);
    const folders = await folderOf('folders', {
      'train/0.tar': await samples('a', [0, 1]),
      'val/0.tar': await samples('b', [1]),
    });
    expect((await openSplits(folders)).validation?.nameOf(0)).toBe('val/0.tar/b0.png');
  });

  it('have validation images by a hash of the keys, the same however they are cut', async () => {
    const all = await samples(
      'class/',
      Array.from({ length: 20 }, (_, at) => at % 2),
    );
    const one = await folderOf('one', { 'x.tar': all });
    const two = await folderOf('two', { 'x-0.tar': all.slice(22), 'x-1.tar': all.slice(0, 22) });
    const [a, b] = [await openSplits(one), await openSplits(`${two}/x-{0..1}.tar`)];
    const paths = (dataset: Dataset | undefined) =>
      dataset && namesOf(dataset).map((name) => name.slice(name.indexOf('/') + 1));
    expect(paths(a.validation)?.length).toBeGreaterThan(0);
    expect(paths(b.validation)).toEqual(paths(a.validation));
    expect(paths(b.train)).toEqual(paths(a.train));
    expect(filesOf(a.train, one).sha256).toBe(filesOf(b.train, two).sha256);
  });

  it('are in the order of a folder with these files', async () => {
    const names = ['cat/10', 'cat/2', 'cat/sub/1', 'cat-x/1', 'dog/a'];
    const shards = await folderOf('order', {
      'x.tar': (
        await Promise.all(
          [...names].reverse().map(async (name, at) => [
            { name: `${name}.png`, body: await png(at) },
            { name: `${name}.txt`, body: name.split('/')[0] as string },
          ]),
        )
      ).flat(),
    });
    const folder = join(root, 'order-folder');
    for (const name of names) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      await writeFile(join(folder, `${name}.png`), await png(1));
    }
    const [a, b] = [await openData(shards, 'train'), await openData(folder, 'train')];
    expect(namesOf(a).map((name) => name.slice('x.tar/'.length))).toEqual(
      namesOf(b).map((name) => name.slice(folder.length + 1)),
    );
    expect([a.classes, labelsOf(a)]).toEqual([b.classes, labelsOf(b)]);
    expect(filesOf(a, shards)).toEqual(filesOf(b, folder));
  });

  it('are scored on what a training kept from itself, and are never unlabelled folders', async () => {
    const folder = join(root, 'two');
    const data = absoluteSource(`${folder}/x-{0..1}.tar`);
    const chosen = await openEvaluationImages(data, [{ source: 'run', data, validation: 0.2 }]);
    expect(namesOf(chosen)).toEqual(namesOf((await openSplits(data)).validation as Dataset));
    expect(await isUnlabelled(data)).toBe(false);
    expect(namesOf(await openData(`${folder}/x-0.tar`, 'test')).length).toBe(9);
  });

  it('can be predicted one by one, with labels or without', async () => {
    const folder = await folderOf('unlabelled', { 'x.tar': [{ name: 'a.png', body: await png(1) }] });
    const images = await findImages([folder]);
    expect(images).toEqual([
      { file: 'x.tar/a.png', encoded: expect.objectContaining({ file: join(folder, 'x.tar'), offset: 512 }) },
    ]);
    expect(await findImages([join(folder, 'y.tar')])).toEqual([
      { file: join(folder, 'y.tar'), error: `${join(folder, 'y.tar')}: no such file` },
    ]);
  });
});

describe('the index', () => {
  it('is read again, renewed for the shards that have changed, and worthless ones are made anew', async () => {
    const folder = await folderOf('index', {
      'a.tar': await samples('a', [0, 1]),
      'b.tar': await samples('b', [0, 1]),
    });
    const index = join(folder, indexName);
    await openData(folder, 'train');
    expect(said(await openData(folder, 'train'))[0]).toContain('there is no classes.txt');
    await writeFile(join(folder, 'b.tar'), tarBytes(await samples('b', [0, 1, 2])));
    const renewed = await openData(folder, 'train');
    expect([renewed.length, said(renewed)[0]]).toEqual([
      5,
      expect.stringContaining('the headers of 1 shard were read once'),
    ]);
    await utimes(join(folder, 'a.tar'), 1, 1);
    expect(said(await openData(folder, 'train'))[0]).toContain('the headers of 1 shard were read once');
    const bytes = await readFile(index);
    for (const broken of [bytes.subarray(0, -1), Buffer.alloc(0), Buffer.from('other')]) {
      await writeFile(index, broken);
      expect((await openData(folder, 'train')).length).toBe(5);
      expect((await readFile(index)).equals(bytes)).toBe(true);
    }
  });

  it('of strangers leads nowhere but into the shards, whatever byte is changed', async () => {
    const bytes = await readFile(join(root, 'index', indexName));
    expect(parseIndex(bytes)?.images).toBe(5);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 0x80;
      const index = parseIndex(changed);
      if (!index) continue;
      const { shard, block, length } = index.columns;
      for (let row = 0; row < index.images; row++)
        expect((block[row] as number) * 512 + (length[row] as number)).toBeLessThanOrEqual(
          index.shards[shard[row] as number]?.size as number,
        );
    }
  });

  it('is kept with the caches where the folder may not be written', async () => {
    const folder = await folderOf('read-only', { 'a.tar': await samples('a', [0, 1]) });
    const blocked = join(folder, indexName);
    // A folder in its place: permissions do not stop who runs as root.
    await mkdir(join(blocked, 'x'), { recursive: true });
    const before = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = join(root, 'cache');
    try {
      expect(said(await openData(folder, 'train'))[0]).toBe(
        `ROOT/read-only: the headers of 1 shard were read once; where their images lie is kept in ${cachedIndex(folder).replace(root, 'ROOT')}`,
      );
      expect(said(await openData(folder, 'train'))[0]).toContain('there is no classes.txt');
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = before;
    }
  });
});

describe('what is wrong with shards', () => {
  it.each<[string, () => Promise<readonly WrittenMember[]>, string]>([
    [
      'two images of a key',
      async () => [
        { name: 'a.jpg', body: 'x' },
        { name: 'a.png', body: 'y' },
      ],
      "ROOT/x.tar: member 'a.png' is a second image of key 'a', beside 'a.jpg'",
    ],
    [
      'two labels of a kind',
      async () => [
        { name: 'a.cls', body: '1' },
        { name: 'a.cls', body: '2' },
      ],
      "ROOT/x.tar: member 'a.cls' is a second .cls of key 'a'",
    ],
    [
      'a key that comes twice',
      async () => [
        { name: 'a.jpg', body: 'x' },
        { name: 'b.jpg', body: 'y' },
        { name: 'a.jpg', body: 'z' },
      ],
      "ROOT/x.tar: two members are called 'a.jpg'",
    ],
    [
      'images without labels',
      async () => [{ name: 'a.jpg', body: 'x' }],
      'ROOT/x.tar: none of its 1 images has a label; expected one in KEY.cls, KEY.json ({"label": …}) or KEY.txt beside \'x.tar/a.jpg\'',
    ],
    [
      'no images',
      async () => [{ name: 'photo.2020.jpg', body: 'x' }],
      'ROOT/x.tar: contains no images; expected members called KEY.jpg (or .png, .webp, …), where KEY ends at the first dot, with a label in KEY.cls, KEY.json or KEY.txt; received 1 .2020.jpg member (x.tar/photo.2020.jpg)',
    ],
    [
      'one class',
      async () => samples('a', [3, 3]),
      "ROOT/x.tar: expected images of at least two classes, received only '3', and with one class there is nothing to tell apart",
    ],
    [
      'labels of two kinds',
      async () => samples('a', [3, 'cat']),
      "ROOT/x.tar: the label of x.tar/a0.png is '3', a number, and others are names; expected one or the other, or a classes.txt beside the shards that has them all",
    ],
    [
      'a number that is no class',
      async () => samples('a', [3, 12345678]),
      "ROOT/x.tar: the label of x.tar/a1.png is '12345678', expected a number of a class, below 100000",
    ],
    [
      'a .cls that is a caption',
      async () => samples('a', ['a photograph\nof a cat']),
      "ROOT/x.tar: member 'a0.cls' is a text of 21 characters, expected a label",
    ],
  ])('%s: is refused with the name', async (_, members, message) => {
    const path = join(root, 'x.tar');
    await writeFile(path, tarBytes(await members()));
    await rm(join(root, indexName), { force: true });
    expect(await failure(openSplits(path))).toBe(message);
  });

  it('labels that classes.txt does not have', async () => {
    const folder = await folderOf('beyond', { 'x.tar': await samples('a', [0, 1, 2]) });
    await writeFile(join(folder, 'classes.txt'), 'cat\ndog\n');
    expect(await failure(openSplits(folder))).toBe(
      "ROOT/beyond: the label of x.tar/a2.png is '2', but ROOT/beyond/classes.txt has 2 names, for the labels 0 to 1",
    );
  });

  it('what is left out is counted', async () => {
    const folder = await folderOf('left-out', {
      'x.tar': [
        ...(await samples('a', [0, 1, -1])),
        { name: 'b.cls', body: '1' },
        { name: 'README', body: 'hello' },
        { name: 'a0.xml', body: '<a/>' },
        { name: 'c.txt', body: 'a caption '.repeat(30) },
        { name: 'c.jpg', body: 'x' },
      ],
    });
    expect(said(await openData(folder, 'train')).at(-1)).toBe(
      'ROOT/left-out/x.tar: left out 2 images without a label (x.tar/a2.png, x.tar/c.jpg), 1 .txt member without a label (x.tar/c.txt), 1 .xml member (x.tar/a0.xml), 1 label without an image (x.tar/b), 1 member without a key and an ending (x.tar/README)',
    );
  });

  it('shards that are not there, or named twice, or broken', async () => {
    const folder = join(root, 'index');
    expect(await failure(openSplits(`${folder}/{a,c,d}.tar`))).toBe(
      'ROOT/index/c.tar: no such file, nor 1 more of 3 shards',
    );
    expect(await failure(openSplits(`${folder}/a.tar::${folder}/a.tar`))).toBe(
      'ROOT/index/a.tar::ROOT/index/a.tar: names ROOT/index/a.tar twice',
    );
    expect(await failure(openSplits(`${folder}/q*.tar`))).toBe('ROOT/index/q*.tar: no shard matches');
    await writeFile(join(folder, 'c.tar'), (await readFile(join(folder, 'a.tar'))).subarray(0, 1500));
    expect(await failure(openSplits(`${folder}/{a,c}.tar`))).toContain('ROOT/index/c.tar: ');
    await rm(join(folder, 'c.tar'));
  });

  it('a shard that is replaced under a training: its images are told apart from broken ones', async () => {
    const folder = await folderOf('replaced', { 'x.tar': await samples('a', [0, 1]) });
    const dataset = await openData(folder, 'train');
    await rename(join(folder, 'x.tar'), join(folder, 'y.tar'));
    await expect(dataset.image(0)).rejects.toMatchObject({ name: 'MissingImageError' });
    await writeFile(join(folder, 'x.tar'), 'short');
    await expect(dataset.image(0)).rejects.toThrow('it has changed since it was opened');
  });
});

it('nothing but the index is written', async () => {
  const entries = await readdir(join(root, 'webdataset'));
  expect(entries.sort()).toEqual([
    indexName,
    'make.py',
    'train-000000.tar',
    'train-000001.tar',
    'train-000002.tar',
    'yielded.json',
  ]);
});
