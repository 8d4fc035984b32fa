import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { differenceOf, filesOf } from './data-files.ts';

const dataset = (files: readonly (readonly [name: string, label: number])[]): Dataset => ({
  name: 'photos',
  length: files.length,
  classes: ['cat', 'dog'],
  label: (index) => files[index]?.[1] as number,
  image: () => {
    throw new Error('not read');
  },
  nameOf: (index) => files[index]?.[0] as string,
});

const began = filesOf(
  dataset([
    ['/photos/cat/1.png', 0],
    ['/photos/dog/1.png', 1],
  ]),
  '/photos',
);

describe('the files of a run', () => {
  it('are the same in a folder that has moved', () => {
    const moved = dataset([
      ['/other/disk/cat/1.png', 0],
      ['/other/disk/dog/1.png', 1],
    ]);
    expect(differenceOf(began, filesOf(moved, '/other/disk/'))).toBeUndefined();
    expect(began.images).toBe(2);
  });

  it('differ by an image more, by a name and by a label', () => {
    const more = dataset([
      ['/photos/cat/1.png', 0],
      ['/photos/cat/2.png', 0],
      ['/photos/dog/1.png', 1],
    ]);
    expect(differenceOf(began, filesOf(more, '/photos'))).toBe('3 images; there were 2 when the run began');
    for (const files of [
      [
        ['/photos/cat/2.png', 0],
        ['/photos/dog/1.png', 1],
      ],
      [
        ['/photos/cat/1.png', 1],
        ['/photos/dog/1.png', 1],
      ],
    ] as const)
      expect(differenceOf(began, filesOf(dataset(files), '/photos'))).toBe(
        '2 images, as when the run began, but other files or other labels',
      );
  });
});
