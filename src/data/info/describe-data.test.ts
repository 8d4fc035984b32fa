import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { packData } from '../pack/pack.ts';
import { describeData } from './describe-data.ts';

it('what a data set holds is told of a folder and, in the same numbers, of its pack', async () => {
  const root = await mkdtemp(join(tmpdir(), 'inception-info-'));
  const create = (width: number, height: number) => ({
    create: { width, height, channels: 3 as const, background: 'red' },
  });
  for (const [name, width, height] of [
    ['cat/1.jpg', 30, 20],
    ['cat/2.png', 10, 40],
    ['dog/1.jpg', 50, 60],
  ] as const) {
    await mkdir(join(root, 'photos', name.split('/')[0] as string), { recursive: true });
    const image = sharp(create(width, height));
    await (name.endsWith('png') ? image.png() : image.jpeg()).toFile(join(root, 'photos', name));
  }
  const names = ['cat/1.jpg', 'cat/2.png', 'dog/1.jpg'];
  await packData(join(root, 'photos'), { output: join(root, 'shards/{}.tar'), maxBytes: 1e6, seed: 1 });
  const [folder, shards] = [
    await describeData(join(root, 'photos')),
    await describeData(join(root, 'shards')),
  ];
  expect([folder.kind, shards.kind]).toEqual(['class folders', 'tar shards']);
  const [ofFolder, ofShards] = [folder.splits[0], shards.splits[0]];
  expect(ofFolder).toMatchObject({
    name: 'images',
    images: 3,
    perClass: [
      ['cat', 2],
      ['dog', 1],
    ],
    files: 3,
    bytes: (await Promise.all(names.map((name) => stat(join(root, 'photos', name))))).reduce(
      (sum, { size }) => sum + size,
      0,
    ),
    looked: {
      images: 3,
      width: [10, 30, 30, 50, 50],
      height: [20, 40, 40, 60, 60],
      formats: { jpeg: 2, png: 1 },
      unreadable: [],
    },
  });
  expect(ofShards).toMatchObject({ perClass: ofFolder?.perClass, bytes: ofFolder?.bytes, files: 1 });
  expect(ofShards?.looked).toEqual(ofFolder?.looked);
  await writeFile(join(root, 'photos/dog/2.jpg'), 'no image');
  const again = await describeData(join(root, 'photos'));
  expect(again.splits[0]?.looked.unreadable.map(({ image }) => image)).toEqual([
    join(root, 'photos/dog/2.jpg'),
  ]);
  await rm(root, { recursive: true });
});
