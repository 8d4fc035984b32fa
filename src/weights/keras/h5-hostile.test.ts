/** Files that lead HDF5 out of themselves, or beyond the machine. test/fixtures/h5-hostile/make.py makes them with h5py. */
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../tensor-file.ts';
import { openH5File } from './h5-file.ts';
import { h5Limits } from './h5-limits.ts';

const fixture = (name: string) =>
  new URL(`../../../test/fixtures/h5-hostile/${name}.h5`, import.meta.url).pathname;

const own = 'a file of weights must hold its values itself';
const refusals: readonly (readonly [string, string | RegExp])[] = [
  [
    'external-storage',
    `external-storage.h5: 'conv2d/kernel' has its values in another file, '/etc/hostname'; ${own}`,
  ],
  ['external-storage-of-itself', /'w' has its values in another file, '.*external-storage-of-itself\.h5'/],
  ['external-link', `'w' is an external link, to 'plain.h5'; ${own}`],
  ['external-link-to-a-group', `'conv2d' is an external link, to 'plain.h5'; ${own}`],
  ['soft-link', `'w' is a soft link, to '/v'; ${own}`],
  ['soft-link-to-nothing', `'w' is a soft link, to '/v'; ${own}`],
  ['virtual', `'w' is a virtual data set, made of other data; ${own}`],
  ['hard-link', "'w' and 'v' are the same object; Keras writes no hard links"],
  ['cycle', "'conv2d/again' and 'conv2d' are the same object"],
  ['many-paths', "'level0/0' and 'leaf' are the same object"],
  [
    'large-when-decompressed',
    "'w' would have 4194304 bytes, the whole file has 1400, and compression may save at most a factor of 100",
  ],
  ['large-without-storage', "'w' would have 4294967296 bytes, the whole file has 1400"],
  ['large-chunk', "'w' has 16 bytes, but is stored in chunks of 1073741824"],
  ['other-filter', "'w' is compressed by 'lzf' (filter 32000), expected gzip or none"],
];

describe('a hostile .h5', () => {
  it.each(refusals)('is refused before its values are read: %s', async (name, message) => {
    const opening = openH5File(fixture(name));
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(WeightsError);
  });

  it('is given little memory, whatever a chunk inflates to', async () => {
    const file = await openH5File(fixture('large-stream'));
    await expect(file.read('w')).rejects.toThrow(
      /large-stream\.h5: HDF5 needs more than 128 MB of memory for it, the limit for a file of \d+ bytes$/,
    );
    expect(h5Limits(2 ** 20).heapBytes).toBe(131 * 2 ** 20);
  });

  it('is not what a compressed file is', async () => {
    const file = await openH5File(fixture('gzip'));
    expect((await file.read('w')).data).toEqual(Float32Array.from({ length: 256 }, (_, index) => index));
    await file.close();
  });

  it('is not one with single numbers, half precision, text or nothing in it', async () => {
    const file = await openH5File(fixture('single-numbers'));
    expect([...file.tensors.keys()].sort()).toEqual(['half', 'iterations', 'nothing', 'rate']);
    expect((await file.read('iterations')).data).toEqual(BigInt64Array.of(7n));
    expect((await file.read('rate')).data).toEqual(Float32Array.of(0.5));
    expect(await file.read('half')).toMatchObject({ dtype: 'F16', data: Uint16Array.of(0, 0x3c00, 0x4000) });
    expect((await file.read('nothing')).shape).toEqual([0, 3]);
    await file.close();
  });
});
