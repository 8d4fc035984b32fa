/** TensorFlow.js's layers models: a model.json and its shards in one folder. */
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEveryValue } from './h5.mjs';

const float = { name: 'a', shape: [1], dtype: 'float32' };
const modelOf = (weights, paths = ['one.bin']) =>
  JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths, weights }] });

/** A folder with this model.json, and what `more` does to it. */
const folderOf =
  (text, more = (folder) => writeFileSync(join(folder, 'one.bin'), new Uint8Array(4))) =>
  (path) => {
    mkdirSync(path);
    writeFileSync(join(path, 'model.json'), typeof text === 'function' ? text() : text);
    more(path);
    return join(path, 'model.json');
  };

const rows = [
  ['right', folderOf(modelOf([float])), 'opens'],
  ['shard above the folder', folderOf(modelOf([float], ['../../../etc/hostname'])), /is not a name inside/],
  ['shard by an absolute path', folderOf(modelOf([float], ['/dev/zero'])), /is not a name inside/],
  [
    'shard that is a link to /dev/zero',
    folderOf(modelOf([float]), (folder) => symlinkSync('/dev/zero', join(folder, 'one.bin'))),
    /is a link out of the folder/,
  ],
  ['tensor of 2^60 values', folderOf(modelOf([{ ...float, shape: [2 ** 30, 2 ** 30] }])), /is too large/],
  [
    'tensor larger than its shard',
    folderOf(modelOf([{ ...float, shape: [2 ** 32] }])),
    /need 17179869184 bytes, the 1 shards have 4/,
  ],
  [
    'sparse shard of 1 TB',
    folderOf(modelOf([float]), (folder) => {
      writeFileSync(join(folder, 'one.bin'), '');
      truncateSync(join(folder, 'one.bin'), 2 ** 40);
    }),
    /need 4 bytes, the 1 shards have 1099511627776/,
  ],
  [
    '40,000 tensors',
    folderOf(() =>
      modelOf(Array.from({ length: 40_000 }, (_, index) => ({ ...float, name: String(index) }))),
    ),
    /Too big|weights: /,
  ],
  [
    '100,000 tensors that are null',
    folderOf(() => modelOf(new Array(100_000).fill(null))),
    /weightsManifest/,
  ],
  [
    '20,000 shards',
    folderOf(() => modelOf([float], Array.from({ length: 20_000 }, String))),
    /weightsManifest\.0\.paths/,
  ],
  [
    'topology nested 1,000,000 deep',
    folderOf(
      () =>
        `{"weightsManifest":[{"paths":["one.bin"],"weights":[]}],"modelTopology":{"model_config":${'['.repeat(1e6)}${']'.repeat(1e6)}}}`,
    ),
    /nested too deeply|not JSON/,
  ],
  ['4 MB of opening brackets', folderOf(() => '['.repeat(4 * 2 ** 20)), /not JSON/],
  [
    'a gigabyte of JSON',
    folderOf('{', (folder) => truncateSync(join(folder, 'model.json'), 2 ** 30)),
    /the limit for a model.json is/,
  ],
  ['empty', folderOf(''), /not JSON/],
];

export const reader = {
  name: 'tfjs',
  open: readEveryValue,
  rows: rows.map(([name, make, expected]) => ({ name, make, expected })),
};
