import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import { openPredictions } from './predictions-file.ts';
import type { Prediction } from './score.ts';

const dataset: Dataset = {
  name: 'photos',
  length: 4,
  classes: ['cat', 'dog, big'],
  label: () => 0,
  nameOf: (index) => `cat/"${index}".jpg`,
  image: () => Promise.reject(new Error('not needed')),
};
const prediction = (index: number): Prediction => ({
  index,
  label: 0,
  top: [index % 2, 1 - (index % 2)],
  probability: 0.75,
  loss: 0.25,
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-predictions-'));
  path = join(folder, 'p.csv');
});
afterEach(() => rm(folder, { recursive: true }));

const open = (resume: boolean, evaluation: object = { model: 'a' }) =>
  openPredictions(path, { dataset, evaluation, resume });

describe('openPredictions', () => {
  it('writes a row per image, quoted where necessary', async () => {
    const file = await open(false);
    for (const index of [0, 1]) file.add(prediction(index));
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(
      [
        'index,file,label,label_index,predicted,predicted_index,probability,loss,top5',
        '0,"cat/""0"".jpg",cat,0,cat,0,0.75,0.25,0 1',
        '1,"cat/""1"".jpg",cat,0,"dog, big",1,0.75,0.25,1 0',
        '',
      ].join('\n'),
    );
    expect(JSON.parse(await readFile(`${path}.json`, 'utf8'))).toEqual({ model: 'a' });
  });

  it('leaves the cells of an image without a label empty, and reads them again', async () => {
    const unlabelled = { ...prediction(0), label: -1, loss: Number.NaN };
    const file = await open(false);
    file.add(unlabelled);
    await file.close();
    expect(await readFile(path, 'utf8')).toContain('0,"cat/""0"".jpg",,,cat,0,0.75,,0 1\n');
    const again = await open(true);
    expect(again.previous).toEqual([unlabelled]);
    await again.close();
  });

  it('resumes after the last complete row', async () => {
    const first = await open(false);
    for (const index of [0, 1]) first.add(prediction(index));
    await first.close();
    await appendFile(path, '2,"cat/""2"".jp');
    const second = await open(true);
    expect(second.previous).toEqual([prediction(0), prediction(1)]);
    second.add(prediction(2));
    await second.close();
    const third = await open(true);
    expect(third.previous.map(({ index }) => index)).toEqual([0, 1, 2]);
    await third.close();
  });

  it('predicts images again whose rows hold no numbers', async () => {
    const first = await open(false);
    first.add(prediction(0));
    await first.close();
    await appendFile(path, '1,1.jpg,cat,x,cat,0,0.75,0.25,0 1\n2,2.jpg,cat,0,cat,0,0.75,x,0 1\n');
    const second = await open(true);
    expect(second.previous).toEqual([prediction(0)]);
    await second.close();
  });

  it('refuses to mix two evaluations, and starts over when not resumed', async () => {
    const first = await open(false);
    first.add(prediction(0));
    await first.close();
    await expect(open(true, { model: 'b' })).rejects.toThrow(
      /p\.csv: its predictions are from another evaluation \(see .*p\.csv\.json\); choose another file, or omit --resume to start over/,
    );
    await writeFile(path, 'something else');
    const restarted = await open(false, { model: 'b' });
    expect(restarted.previous).toEqual([]);
    await restarted.close();
  });
});
