/** Keras's .h5 files; test/fixtures/h5-hostile/make.py makes them. */
import { copyFileSync } from 'node:fs';
import { openWeights } from '../../dist/weights/open-weights.js';

const fixture = (name) => (path) => {
  copyFileSync(new URL(`../../test/fixtures/h5-hostile/${name}.h5`, import.meta.url), `${path}.h5`);
  return `${path}.h5`;
};

/** Name of the fixture, and what the refusal says. */
const rows = [
  ['external-storage', /has its values in another file, '\/etc\/hostname'/],
  ['external-storage-of-itself', /has its values in another file/],
  ['external-link', /is an external link/],
  ['external-link-to-a-group', /is an external link/],
  ['soft-link', /is a soft link/],
  ['soft-link-to-nothing', /is a soft link/],
  ['virtual', /is a virtual data set/],
  ['hard-link', /are the same object/],
  ['cycle', /are the same object/],
  ['many-paths', /are the same object/],
  ['large-when-decompressed', /compression may save at most a factor of 100/],
  ['large-without-storage', /the whole file has 1400/],
  ['large-chunk', /stored in chunks of 1073741824/],
  ['large-stream', /HDF5 needs more than 128 MB of memory/],
  ['other-filter', /is compressed by 'lzf'/],
  ['gzip', 'opens'],
];

/** Opens a file of weights and reads every value. */
export async function readEveryValue(path) {
  const file = await openWeights(path);
  try {
    for (const name of file.tensors.keys()) await file.read(name);
  } finally {
    await file.close();
  }
}

export const reader = {
  name: 'h5',
  open: readEveryValue,
  rows: rows.map(([name, expected]) => ({ name, make: fixture(name), expected })),
};
