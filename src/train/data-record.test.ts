import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import { DataRecorder } from './data-record.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-data-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const dataset = (name: string, length: number): Dataset => ({
  name,
  length,
  classes: ['cat', 'dog'],
  label: (index) => (index === 0 ? 1 : 0),
  nameOf: String,
  image: () => {
    throw new Error('not read here');
  },
  report: { leftOut: [{ what: '.bmp files', count: 1, examples: ['cat/a.bmp'] }], decisions: [] },
});

function recorder() {
  const warnings: string[] = [];
  const path = join(root, 'data.json');
  const data = new DataRecorder(path, {
    train: dataset('train', 3),
    validation: dataset('val', 2),
    test: undefined,
    onWarning: (message) => warnings.push(message),
  });
  return { data, path, warnings };
}

const skipped = (name: string) => ({ reason: `${name}: cannot be decoded`, what: 'it does not count' });

describe('the record of the data of a run', () => {
  it('has the images of each class, and what was left out', async () => {
    const { data, path } = recorder();
    await data.save();
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      format: 1,
      train: {
        name: 'train',
        images: 3,
        perClass: [
          ['cat', 2],
          ['dog', 1],
        ],
        leftOut: [{ what: '.bmp files', count: 1, examples: ['cat/a.bmp'] }],
      },
      validation: { name: 'val', images: 2 },
      skipped: [],
    });
  });

  it('names every skipped image, and warns of each once, of ten at most', async () => {
    const { data, path, warnings } = recorder();
    for (let count = 0; count < 2; count++)
      for (let index = 0; index < 15; index++) data.skip(`${index}.jpg`, skipped(`${index}.jpg`));
    await data.save();
    expect(warnings).toHaveLength(11);
    expect(warnings[0]).toBe('0.jpg: cannot be decoded; it does not count');
    expect(warnings[10]).toBe(`further images that cannot be used are named in ${path} only`);
    expect(JSON.parse(await readFile(path, 'utf8')).skipped).toHaveLength(15);
    expect(data.summary()).toBe(`15 images could not be used and were skipped; see ${path}`);
  });

  it('goes on in a resumed run', async () => {
    const first = recorder();
    first.data.skip('a.jpg', skipped('a.jpg'));
    await first.data.save();
    const second = recorder();
    await second.data.resume();
    second.data.skip('a.jpg', skipped('a.jpg'));
    expect(second.warnings).toEqual([]);
    expect(second.data.summary()).toMatch(/^1 image could not be used and was skipped/);
  });

  it('is written anew if it was spoiled', async () => {
    const { data, path, warnings } = recorder();
    await writeFile(path, 'no JSON');
    await data.resume();
    expect(warnings).toEqual([`${path}: cannot be read, and is written anew`]);
  });
});
