import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from './dataset.ts';
import { readExclusions, readLabels, readRealLabels } from './image-lists.ts';

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

describe('readLabels', () => {
  const files = names.map((name) => name.split('/')[1] as string);

  it('reads one label per line in file order, or lines of file and label in any order', async () => {
    expect(await readLabels(await file('a\nb\nc\n'), files)).toEqual(['a', 'b', 'c']);
    const solution =
      'ImageId,PredictionString\nILSVRC2012_val_00000003,n03 1 2 3 4\nILSVRC2012_val_00000001,n01 1 2 3 4 n01 5 6 7 8\nILSVRC2012_val_00000002,n02 0 0 1 1\n';
    expect(await readLabels(await file(solution), files)).toEqual(['n01', 'n02', 'n03']);
  });

  it('reports missing labels', async () => {
    await expect(readLabels(await file('a\nb'), files)).rejects.toThrow('2 labels for 3 images');
    await expect(readLabels(await file('x.JPEG a'), files)).rejects.toThrow(
      'no label for ILSVRC2012_val_00000001.JPEG',
    );
  });
});
