import { describe, expect, it } from 'vitest';
import { DataError, MissingImageError, StorageError } from './data-error.ts';
import type { Dataset } from './dataset.ts';
import { SkippedImages } from './skipped-images.ts';

const dataset = (length: number): Dataset => ({
  name: 'photos',
  length,
  classes: ['a', 'b'],
  label: () => 0,
  nameOf: String,
  image: () => {
    throw new Error('not read here');
  },
});
const broken = (index: number) => new DataError(`${index}.jpg: cannot be decoded`);
const missing = (index: number) => new MissingImageError(`${index}.jpg: no such file`);

describe('images that cannot be used', () => {
  it('are named once each', () => {
    const named: number[] = [];
    const skipped = new SkippedImages(dataset(10), (index) => named.push(index));
    for (const index of [3, 4, 3]) skipped.add(index, broken(index));
    expect(named).toEqual([3, 4]);
    expect([skipped.has(3), skipped.has(5)]).toEqual([true, false]);
  });

  it('may be nearly all if they are broken, but not all', () => {
    const skipped = new SkippedImages(dataset(10));
    for (let index = 0; index < 9; index++) skipped.add(index, broken(index));
    expect(() => skipped.add(9, broken(9))).toThrow(
      'photos: none of the images can be used (9.jpg: cannot be decoded)',
    );
  });

  it('may be one percent if their files are missing', () => {
    const skipped = new SkippedImages(dataset(300));
    for (let index = 0; index < 3; index++) skipped.add(index, missing(index));
    expect(() => skipped.add(3, missing(3))).toThrow(
      '3.jpg: no such file; 4 of the 300 images of photos are missing since they were listed: restore them, or start again with what is there',
    );
  });

  it.each([new StorageError('1.jpg: cannot be read (EIO)'), new TypeError('a mistake in the program')])(
    'are not the reason of every error: %s',
    (error) => {
      const skipped = new SkippedImages(dataset(10));
      expect(() => skipped.add(1, error)).toThrow(error);
      expect(skipped.has(1)).toBe(false);
    },
  );
});
