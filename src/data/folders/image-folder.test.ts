import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mildAugmentation } from '../../images/augmentation.ts';
import { trainingBatches } from '../batches.ts';
import { openData } from '../open-data.ts';

let root: string;

const image = (background: string) => sharp({ create: { width: 40, height: 24, channels: 3, background } });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-folder-'));
  for (const split of ['train', 'val']) {
    for (const name of ['cat', 'dog']) await mkdir(join(root, split, name), { recursive: true });
    await image('#c02020')
      .jpeg()
      .toFile(join(root, split, 'cat', 'a.jpg'));
    await image('#c02020')
      .png()
      .toFile(join(root, split, 'cat', 'b.PNG'));
    await image('#2020c0')
      .webp()
      .toFile(join(root, split, 'dog', 'c.webp'));
    await image('#2020c0')
      .png()
      .toFile(join(root, split, 'dog', 'd.png'));
  }
  await writeFile(join(root, 'train', 'dog', 'notes.txt'), 'no image');
  await writeFile(join(root, 'train', 'dog', 'broken.jpg'), 'no image either');
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('a folder of class folders', () => {
  it('has classes and images sorted by name', async () => {
    const data = await openData(root, 'test');
    expect(data.classes).toEqual(['cat', 'dog']);
    expect(data.length).toBe(4);
    expect([0, 1, 2, 3].map((index) => data.label(index))).toEqual([0, 0, 1, 1]);
    expect(data.nameOf(1)).toBe(join(root, 'val', 'cat', 'b.PNG'));
  });

  it('serves as both splits when it has none', async () => {
    const data = await openData(join(root, 'val'), 'train');
    expect(data.length).toBe(4);
  });

  it.each([
    ['nowhere', "nowhere: no such folder; --data takes 'fashion-mnist' or a folder of class folders"],
    ['train/cat', 'expected at least two class folders with images, received none'],
    ['train/dog/notes.txt', 'is a file, expected a folder'],
  ])('is refused with a reason: %s', async (path, message) => {
    await expect(openData(join(root, path), 'train')).rejects.toThrow(message);
  });

  it('replaces a corrupt image in training by another one, and reports it once', async () => {
    const data = await openData(root, 'train');
    const broken: string[] = [];
    const batches = trainingBatches(data, {
      batch: 5,
      size: [12, 12],
      augmentation: mildAugmentation,
      seed: 1,
      onBroken: ({ message }) => broken.push(message),
    });
    for (let count = 0; count < 3; count++) {
      const { labels, indices } = (await batches.next()).value;
      expect(indices.map((index: number) => BigInt(data.label(index)))).toEqual([...labels]);
      expect(indices.map((index: number) => data.nameOf(index))).not.toContain(
        join(root, 'train', 'dog', 'broken.jpg'),
      );
    }
    await batches.return(undefined);
    expect(broken).toHaveLength(1);
    expect(broken[0]).toMatch(/broken\.jpg: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF or AVIF/);
  });

  it('follows symbolic links to classes and images', async () => {
    const linked = join(root, 'linked');
    await mkdir(join(linked, 'train', 'b'), { recursive: true });
    await mkdir(join(linked, 'test', 'a'), { recursive: true });
    await image('#ff0000').png().toFile(join(root, 'red.png'));
    await mkdir(join(root, 'elsewhere'), { recursive: true });
    await image('#00ff00')
      .png()
      .toFile(join(root, 'elsewhere', 'green.png'));
    await symlink(join(root, 'elsewhere'), join(linked, 'train', 'a'));
    await symlink(join(root, 'red.png'), join(linked, 'train', 'b', 'red.png'));
    await symlink(join(root, 'nowhere.png'), join(linked, 'train', 'b', 'zero.png'));
    const data = await openData(linked, 'train');
    expect(data.classes).toEqual(['a', 'b']);
    expect(data.length).toBe(2);
  });
});
