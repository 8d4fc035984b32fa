import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataCheckText } from '../cli/output/data-check-text.ts';
import { encodePng } from '../data/decode.ts';
import { checkData } from './check-data.ts';
import { drawCheckPage } from './check-page.ts';

let root: string;

/** Waves whose direction depends on a number. */
async function waves(seed: number, side: number): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: side * side }, (_, index) => {
    const [y, x] = [Math.floor(index / side) / side, (index % side) / side];
    return 128 + 100 * Math.sin((seed + 1) * 3 * x + seed * seed * y);
  });
  return encodePng({ height: side, width: side, channels: 1, data });
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-check-'));
  const make = async (name: string, bytes: Uint8Array | string) => {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), bytes);
  };
  const [one, two] = [await waves(1, 64), await waves(2, 64)];
  await make('photos/train/cat/1.png', one);
  await make('photos/train/cat/2.png', two);
  await make('photos/train/dog/1.png', one);
  await make('photos/train/dog/broken.png', 'no image');
  await make('photos/train/owl/<b>.png', await waves(3, 20));
  await make('photos/val/cat/1.png', await waves(2, 96));
  await make('photos/val/dog/1.png', await waves(4, 64));
  for (const name of ['train/cat/1.png', 'train/dog/1.png', 'test/cat/1.png'])
    await make(`alone/${name}`, one);
  await make('nothing/cat/1.png', 'no image');
  await make('nothing/dog/1.png', '');
});
afterAll(() => rm(root, { recursive: true, force: true }));

const check = () => checkData(join(root, 'photos'), { inputSize: [32, 32] });

describe('the check of a data set', () => {
  it('counts images, and finds copies and look-alikes within and across splits, broken and small files', async () => {
    const { check: found } = await check();
    const files = (images: readonly { readonly file: string }[]) =>
      images.map(({ file }) => relative(join(root, 'photos'), file));
    expect(found.splits.map(({ name, images }) => [name, images])).toEqual([
      ['train', 5],
      ['validation', 2],
    ]);
    expect(found.classes).toEqual([
      { name: 'cat', images: 3, perSplit: { train: 2, validation: 1 } },
      { name: 'dog', images: 3, perSplit: { train: 2, validation: 1 } },
      { name: 'owl', images: 1, perSplit: { train: 1, validation: 0 } },
    ]);
    expect(found.missing).toEqual([{ class: 'owl', splits: ['validation'] }]);
    expect(found.imbalance).toBe(3);
    const summary = (groups: typeof found.near) =>
      groups.map(({ images, ...across }) => ({ files: files(images), ...across }));
    expect(summary(found.identical)).toEqual([
      { files: ['train/cat/1.png', 'train/dog/1.png'], acrossSplits: false, acrossClasses: true },
    ]);
    expect(summary(found.near)).toEqual([
      { files: ['train/cat/2.png', 'val/cat/1.png'], acrossSplits: true, acrossClasses: false },
    ]);
    expect(files(found.undecodable)).toEqual(['train/dog/broken.png']);
    expect(found.undecodable[0]?.reason).toContain('cannot be decoded');
    expect([files(found.smaller.images), found.smaller.images[0]?.width]).toEqual([
      ['train/owl/<b>.png'],
      20,
    ]);
    expect([found.width, found.height]).toEqual([
      { min: 20, median: 64, max: 96 },
      { min: 20, median: 64, max: 96 },
    ]);
  });

  it('is told in a table and a line for each finding', async () => {
    const text = dataCheckText((await check()).check);
    expect(text).toMatch(/│ owl +│ +1 │ +0 │ +1 │/);
    expect(text.split('\n\n')[1]?.split('\n')).toEqual([
      'sizes: 20 to 96 pixels wide (median 64), 20 to 96 high (median 64)',
      '1 image cannot be decoded (train/dog/broken.png)',
      '1 image is smaller than the input of 32×32 and will be enlarged (train/owl/<b>.png)',
      '1 class is not in every split: owl is not in validation',
      'the largest class has 3.0 times as many images as the smallest (in training, --class-weights balanced or --sampling balanced lets rare classes count as much)',
      '2 images are identical, in 1 group, 1 of them in more than one class (train/cat/1.png, train/dog/1.png)',
      '2 images are nearly identical, in 1 group, 1 of them in more than one split (train/cat/2.png, val/cat/1.png)',
    ]);
  });

  it('is a page that needs nothing else, with names that are no markup', async () => {
    const page = await drawCheckPage(await check());
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/<b>\.png|https?:|<script/);
    expect(page).toContain('&#60;b&#62;.png');
    expect(page.match(/data:image\/png;base64,/g)).toHaveLength(5);
    expect(page).toContain('across splits');
  });

  it('says what a split of one class lacks', async () => {
    const { check: found } = await checkData(join(root, 'alone'), { inputSize: [32, 32] });
    expect(found.missing).toEqual([{ class: 'dog', splits: ['test'] }]);
  });

  it('fails only if nothing can be used', async () => {
    await expect(checkData(join(root, 'nothing'), { inputSize: [299, 299] })).rejects.toThrow(
      /nothing: none of its 2 images can be decoded \(.*cat\/1\.png: cannot be decoded as JPEG/,
    );
  });
});
