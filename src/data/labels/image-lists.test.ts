import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../dataset.ts';
import { readExclusions, readRealLabels } from './image-lists.ts';

const names = [1, 2, 3].map((number) => `n01440764/ILSVRC2012_val_0000000${number}.JPEG`);
const dataset: Dataset = {
  name: 'val',
  length: names.length,
  classes: ['n01440764'],
  label: () => 0,
  nameOf: (index) => names[index] as string,
  image: () => Promise.reject(new Error('not needed')),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-lists-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string): Promise<string> {
  const path = join(folder, 'list');
  await writeFile(path, text);
  return path;
}

describe('readExclusions', () => {
  it('accepts numbers (as in ImageNet’s blacklist), file names and paths', async () => {
    const path = await file(`# blacklist\n2\nILSVRC2012_val_00000003.JPEG\r\n${names[0]}\n`);
    expect([...(await readExclusions(path, dataset))].sort()).toEqual([0, 1, 2]);
    expect([...(await readExclusions(await file('2\n40000'), dataset))]).toEqual([1]);
  });

  it('refuses a list that matches no image', async () => {
    await expect(readExclusions(await file('77\n78'), dataset)).rejects.toThrow(
      /list: none of its 2 lines is the name or number of an image of val \(the first: '77'\)/,
    );
    await expect(readExclusions(join(folder, 'none'), dataset)).rejects.toThrow('no such file');
  });
});

describe('readRealLabels', () => {
  it('reads a list ordered by image number, and an object keyed by file name', async () => {
    const list = await readRealLabels(await file('[[7], [], [1, 2]]'), dataset);
    expect([0, 1, 2].map(list)).toEqual([[7], [], [1, 2]]);
    const byName = await readRealLabels(await file('{"ILSVRC2012_val_00000002.JPEG": [5]}'), dataset);
    expect(byName(1)).toEqual([5]);
    expect(() => byName(0)).toThrow('no labels for n01440764/ILSVRC2012_val_00000001.JPEG');
  });

  it.each([
    ['{', 'not JSON'],
    ['[]', 'expected lists of label numbers, one per image'],
    ['[[1], ["cat"]]', '; \'1\' is ["cat"]'],
    ['[[-1]]', "; '0' is [-1]"],
    ['"labels"', 'expected lists'],
  ])('refuses %s', async (text, message) => {
    await expect(readRealLabels(await file(text), dataset)).rejects.toThrow(message);
  });
});
