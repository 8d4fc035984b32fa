/** The config.json of a folder in timm's form. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A folder with this config.json and a file of weights without tensors. */
const folder = (config) => (path) => {
  mkdirSync(path);
  const header = Buffer.from('{}');
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(path, 'model.safetensors'), Buffer.concat([size, header]));
  if (typeof config === 'function') config(join(path, 'config.json'));
  else writeFileSync(join(path, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
};
const v4 = (changes) => folder({ architecture: 'inception_v4', ...changes });
const pretrained = (changes) => v4({ pretrained_cfg: changes });

export const reader = {
  name: 'config.json',
  open: async (path) => {
    const { openModel } = await import('../../dist/predict/open-model.js');
    const opened = await openModel(path);
    await opened.close();
  },
  rows: [
    { name: 'empty', make: folder(''), expected: /not JSON/ },
    { name: 'null', make: folder('null'), expected: /expected object/ },
    { name: 'nested a million deep', make: folder('['.repeat(1e6)), expected: /not JSON/ },
    {
      name: 'nested a million deep, and closed',
      make: folder('['.repeat(1e6) + ']'.repeat(1e6)),
      expected: /config\.json/,
    },
    {
      name: '20 MB',
      make: folder(`{"architecture":"${'a'.repeat(2e7)}"}`),
      expected: /the limit is 16777216/,
    },
    {
      name: 'an architecture of 10 MB',
      make: folder({ architecture: 'a'.repeat(1e7) }),
      expected: /unknown architecture/,
    },
    {
      name: 'terminal escapes',
      make: folder({ architecture: '\u001b[2J' }),
      expected: /^[^\p{Cc}]*\\u001b/u,
    },
    {
      name: 'a million labels',
      make: v4({ label_names: Array(1e6).fill('a') }),
      expected: /first convolution is missing/,
    },
    {
      name: 'labels by a million indices',
      make: v4({
        label_names: Object.fromEntries(Array.from({ length: 500_000 }, (_, index) => [index, 'a'])),
      }),
      expected: /first convolution is missing/,
    },
    {
      name: 'a label at index 9,999,999',
      make: v4({ label_names: { 9999999: 'a' } }),
      expected: /label_names/,
    },
    {
      name: 'a billion classes',
      make: v4({ num_classes: 1e9, label_names: { 0: 'a' } }),
      expected: /num_classes/,
    },
    {
      name: 'labels called __proto__',
      make: folder('{"architecture":"inception_v4","label_names":{"__proto__":"a"}}'),
      expected: /label_names|first convolution/,
    },
    { name: 'a standard deviation of 0', make: pretrained({ std: [0, 0, 0] }), expected: /std/ },
    { name: 'a mean of 1e300', make: pretrained({ mean: [1e300, 0, 0] }), expected: /mean/ },
    {
      name: 'a standard deviation of 1e999',
      make: folder('{"architecture":"inception_v4","std":[1e999,1,1]}'),
      expected: /std/,
    },
    {
      name: 'an input of a billion pixels',
      make: pretrained({ input_size: [3, 1e9, 1e9] }),
      expected: /input_size/,
    },
    {
      name: 'an input of half a pixel',
      make: pretrained({ input_size: [3, 0.5, 0.5] }),
      expected: /input_size/,
    },
    { name: 'a crop of 1e-300', make: pretrained({ crop_pct: 1e-300 }), expected: /crop_pct/ },
    {
      name: 'a label offset of 2^53',
      make: pretrained({ num_classes: 5, label_offset: 2 ** 53 }),
      expected: /label_offset/,
    },
    {
      name: 'a FIFO',
      make: folder((path) => execFileSync('mkfifo', [path])),
      expected: /config\.json|no model|folder/,
    },
    { name: 'a folder', make: folder((path) => mkdirSync(path)), expected: /model|folder/ },
    {
      name: 'a link to /dev/zero',
      make: folder((path) => execFileSync('ln', ['-s', '/dev/zero', path])),
      expected: /model|folder/,
    },
  ],
};
