/** Record files written by TensorFlow (test/fixtures/tfrecord/make.py) as a data set. */
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeReport } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { openData } from '../open-data.ts';
import { openSplits } from '../splits/open-splits.ts';
import { parseIndex } from './record-index.ts';

const fixtures = new URL('../../../test/fixtures/tfrecord/', import.meta.url).pathname;
const [first, second, third] = [
  'train-00000-of-00002',
  'train-00001-of-00002',
  'validation-00000-of-00001',
] as const;

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-records-'));
  for (const name of [first, second, third]) await copyFile(join(fixtures, name), join(root, name));
});
afterEach(async () => {
  await chmod(root, 0o755);
  await rm(root, { recursive: true });
});

const said = (data: Dataset) => describeReport(data).map((line) => line.replaceAll(root, 'ROOT'));
const labelsOf = ({ length, label }: Dataset) => Array.from({ length }, (_, index) => label(index));
const namesOf = ({ length, nameOf }: Dataset) => Array.from({ length }, (_, index) => nameOf(index));

describe('a folder of record files', () => {
  it('has splits by their names, classes by the order of labels, and pixels as TensorFlow decodes them', async () => {
    const { train, validation, test, validationFrom } = await openSplits(root);
    expect([train.length, validation?.length, test, validationFrom]).toEqual([5, 2, undefined, 'folder']);
    expect([train.classes, train.classIds]).toEqual([
      ['tench, Tinca tinca', 'crane (n02012849)', 'crane (n03126707)'],
      ['n01440764', 'n02012849', 'n03126707'],
    ]);
    expect(labelsOf(train)).toEqual([0, 2, 1, 1, 0]);
    expect(namesOf(train)[1]).toBe(`${first}/n03126707/n03126707_2.JPEG`);
    expect(train.pathOf?.(1)).toBe('n03126707/n03126707_2.JPEG');
    const expected = JSON.parse(await readFile(join(fixtures, 'expected.json'), 'utf8'));
    for (const [index, { pixelSum }] of [...expected[first], ...expected[second]].entries()) {
      const { data, width, height } = await train.image(index);
      expect([width, height]).toEqual([8, 6]);
      // 144 values; decoders may differ by a grey level where they enlarge the colours.
      expect(Math.abs(data.reduce((sum, value) => sum + value, 0) - pixelSum)).toBeLessThanOrEqual(144);
    }
    expect(said(train)).toEqual([
      'ROOT: 2 files were read once (0.00 GiB) and the checksums compared; where the images lie is kept in ROOT/inception-records.index',
      'ROOT/train-0000*-of-00002: classes are named by the records, in the order of their labels, 1 to 3 (there is no 0, which TF-Slim keeps for the background)',
    ]);
  });

  it('is read once, and again where a file has changed', async () => {
    await openData(root, 'train');
    expect(said(await openData(root, 'train'))).toHaveLength(1);
    await utimes(join(root, first), 1000, 1000);
    expect(said(await openData(root, 'train'))[0]).toContain('1 file was read once');
    expect((await readdir(root)).filter((name) => name.includes('index'))).toEqual([
      'inception-records.index',
    ]);
  });

  it('is refused where files are missing, but for a pattern that names those that are there', async () => {
    await rm(join(root, second));
    await expect(openData(root, 'train')).rejects.toThrow(
      `${root}: 1 of the 2 files train-…-of-00002 is not there (train-00001-of-00002); restore them, or name what is there: --data '${root}/*-of-*'`,
    );
    const data = await openData(join(root, 'train-?????-of-00002'), 'train');
    expect(data.length).toBe(3);
    expect(said(data)[0]).toBe(
      'warning: ROOT/train-?????-of-00002: 1 of the 2 files train-…-of-00002 is not there (train-00001-of-00002)',
    );
  });

  it('may have folders for its splits', async () => {
    for (const [folder, name] of [
      ['train', first],
      ['train', second],
      ['validation', third],
    ] as const) {
      await mkdir(join(root, 'sorted', folder), { recursive: true });
      await copyFile(join(root, name), join(root, 'sorted', folder, name));
    }
    const { train, validation } = await openSplits(join(root, 'sorted'));
    expect([train.length, validation?.length]).toEqual([5, 2]);
  });

  it('without validation files is divided by the names that its images had in folders', async () => {
    const { train, validation } = await openSplits(join(root, 'train-*'), { validation: 0.5 });
    expect(
      [...namesOf(train), ...namesOf(validation as Dataset)].map((name) => basename(name)).sort(),
    ).toEqual([
      'n01440764_1.JPEG',
      'n01440764_5.JPEG',
      'n02012849_3.JPEG',
      'n02012849_4.JPEG',
      'n03126707_2.JPEG',
    ]);
  });

  it('says which bytes lie where', async () => {
    const data = await openData(join(root, first), 'train');
    const encoded = (await data.encoded?.(2)) as { file: string; offset: number; length: number };
    const { file, offset, length } = encoded;
    const bytes = (await readFile(file)).subarray(offset, offset + length);
    expect([file, [...bytes.subarray(0, 3)], [...bytes.subarray(-2)]]).toEqual([
      join(root, first),
      [0xff, 0xd8, 0xff],
      [0xff, 0xd9],
    ]);
  });
});

describe('an index of record files', () => {
  it('that was changed is not believed', async () => {
    await openData(root, 'train');
    const bytes = await readFile(join(root, 'inception-records.index'));
    expect(parseIndex(bytes)).toHaveLength(2);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 0x80;
      for (const file of parseIndex(changed))
        for (const [image, offset] of file.offsets.entries())
          expect(offset + (file.lengths[image] as number)).toBeLessThanOrEqual(file.size);
      parseIndex(changed.subarray(0, at));
    }
    await writeFile(join(root, 'inception-records.index'), bytes.subarray(0, 100));
    expect(said(await openData(root, 'train'))[0]).toContain('2 files were read once');
  });
});
