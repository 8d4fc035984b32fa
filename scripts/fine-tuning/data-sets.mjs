/**
 * Two real sets as folders that `inception train` takes, with the same images in `train`, `val` and `test` for everybody. Neither is shipped:
 *
 * - ELPV, photographs of solar cells by electroluminescence (Buerhop-Lutz et al. 2018; CC BY-NC-SA 4.0), from PyPI's elpv-dataset:
 *   `pip download --no-deps elpv-dataset` and unzip; FOLDER is the one with `labels.csv`. A cell is defective if its probability of a defect
 *   is above a half. A quarter is the test set, as in Deitsch et al. 2019 (Solar Energy 185, https://arxiv.org/abs/1807.02894), drawn by the seed
 *   within each label and kind of cell; a fifth of the rest is for validation. A decision that its rater was not sure of counts less in the weighted accuracy: ⅓ where the
 *   probability of a defect is ⅓, ⅔ where it is ⅔.
 * - Tux Paint's stamps (GPL-2), from Debian's tuxpaint-stamps-default; FOLDER is usr/share/tuxpaint/stamps. A class is a category with at least ten
 *   images; the split is by the same rule.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { permutation } from '../../dist/random.js';
import { randomFrom } from '../../test/fuzz/requests.mjs';

/** Lists by key, in the order of their first members. */
export function groupBy(list, keyOf) {
  const groups = new Map();
  for (const each of list) {
    const key = keyOf(each);
    if (groups.has(key)) groups.get(key).push(each);
    else groups.set(key, [each]);
  }
  return groups;
}

/** Samples of a set: file, class, what the split keeps in proportion, and the weight in the weighted accuracy. */
const readers = {
  elpv(folder) {
    const lines = readFileSync(join(folder, 'labels.csv'), 'utf8').trim().split('\n');
    return lines.map((line) => {
      const [path, probability, kind] = line.trim().split(/\s+/);
      const p = Number(probability);
      const label = p > 0.5 ? 'defective' : 'functional';
      const weight = p === 0 || p === 1 ? 1 : p;
      return {
        file: join(folder, path),
        name: basename(path),
        label,
        group: `${kind} ${probability}`,
        weight,
      };
    });
  },
  stamps(folder) {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (path) => extname(path) === '.png',
    );
    const counts = groupBy(files, (path) => path.split('/')[0]);
    return files
      .filter((path) => counts.get(path.split('/')[0]).length >= 10)
      .sort()
      .map((path) => {
        const [label] = path.split('/');
        const name = relative(label, path).replaceAll('/', '-');
        return { file: join(folder, path), name, label, group: label, weight: 1 };
      });
  },
};

export const dataSets = Object.keys(readers);

/** Of each group a quarter for the test, and a fifth of the rest for validation. */
export function splitOf(samples, seed) {
  const random = randomFrom(seed);
  const splits = { train: [], val: [], test: [] };
  for (const [, group] of [...groupBy(samples, ({ group }) => group)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const order = Array.from(permutation(group.length, random), (index) => group[index]);
    const test = Math.round(order.length / 4);
    const validation = Math.round((order.length - test) / 5);
    splits.test.push(...order.slice(0, test));
    splits.val.push(...order.slice(test, test + validation));
    splits.train.push(...order.slice(test + validation));
  }
  return splits;
}

/**
 * Lays a set out in a folder: OUTPUT/{train,val,test}/CLASS/NAME, hard links where possible. `limit` keeps so many images of a split, in
 * turn of the groups. Returns the weight of each test image by `CLASS/NAME`.
 */
export function layOut(set, { from, output, seed, limit }) {
  const splits = splitOf(readers[set](from), seed);
  const weights = {};
  for (const [split, samples] of Object.entries(splits)) {
    for (const { file, name, label, weight } of limit === undefined
      ? samples
      : inTurn(samples).slice(0, limit)) {
      const path = join(output, split, label, name);
      mkdirSync(dirname(path), { recursive: true });
      if (!existsSync(path)) linkOrCopy(file, path);
      if (split === 'test') weights[`${label}/${name}`] = weight;
    }
  }
  writeFileSync(join(output, 'weights.json'), JSON.stringify(weights));
  return weights;
}

/** One of each class after the other. */
function inTurn(samples) {
  const classes = [...groupBy(samples, ({ label }) => label).values()];
  const longest = Math.max(...classes.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => classes.flatMap((list) => list[index] ?? [])).flat();
}

function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
