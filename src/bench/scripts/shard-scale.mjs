/**
 * What a set of shards as large as ImageNet costs, without its images: `node src/bench/scripts/shard-scale.mjs [SHARDS] [IMAGES PER SHARD]`
 * after a build. Makes an index over empty files of the right size, opens it in a process of its own, and prints processor time and memory;
 * then how far the buffer of a stream is from a permutation.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildIndex } from '../../../dist/data/shards/build-index.js';
import { indexName } from '../../../dist/data/shards/open-index.js';
import { writeIndex } from '../../../dist/data/shards/shard-index.js';
import { lanesOf } from '../../../dist/data/shards/streams/lanes.js';
import { shuffled } from '../../../dist/data/shards/streams/shuffle-buffer.js';
import { permutation, randomFor } from '../../../dist/random.js';

const [shards = 1281, perShard = 1000] = process.argv.slice(2).map(Number);
const imageBytes = 110_000;

const folder = await mkdtemp(join(tmpdir(), 'shard-scale-'));
try {
  const scanned = [];
  for (let shard = 0; shard < shards; shard++) {
    const name = `train-${String(shard).padStart(4, '0')}.tar`;
    const file = await open(join(folder, name), 'w');
    await file.truncate(perShard * (imageBytes + 2048));
    await file.close();
    const { size, mtimeMs } = await stat(join(folder, name));
    const images = Array.from({ length: perShard }, (_, at) => {
      const number = shard * perShard + at;
      const label = (number * 7919) % 1000;
      const path = `n${String(10_000_000 + label)}/n${10_000_000 + label}_${number}.jpg`;
      const offset = 512 * Math.floor((at * (imageBytes + 2048)) / 512);
      return { path, offset, length: imageBytes, label: String(label), tail: number };
    });
    const about = { name, size, mtimeMs: Math.floor(mtimeMs), leftOut: [], labelsFrom: { cls: perShard } };
    scanned.push({ shard: about, images });
  }
  await writeIndex(join(folder, indexName), buildIndex(folder, scanned));
  const { size } = await stat(join(folder, indexName));
  console.log(`${shards * perShard} images in ${shards} shards: an index of ${(size / 1e6).toFixed(0)} MB`);
  const child = `
    const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
    const { openData } = await import('${new URL('../../../dist/data/open-data.js', import.meta.url)}');
    const { filesOf } = await import('${new URL('../../../dist/train/configuration/data-files.js', import.meta.url)}');
    const { summarise } = await import('${new URL('../../../dist/data/data-report.js', import.meta.url)}');
    const { epochOrders } = await import('${new URL('../../../dist/data/epoch-order.js', import.meta.url)}');
    globalThis.gc();
    const before = process.memoryUsage().rss;
    const lap = (what, from, wall) => console.log(what + ': ' + (seconds() - from).toFixed(2) + ' s of processor time, ' + ((performance.now() - wall) / 1000).toFixed(2) + ' s');
    let [from, wall] = [seconds(), performance.now()];
    const data = await openData(process.argv[1], 'train');
    lap('opened, ' + data.length + ' images', from, wall);
    [from, wall] = [seconds(), performance.now()];
    summarise(data);
    lap('counted by class', from, wall);
    [from, wall] = [seconds(), performance.now()];
    filesOf(data, process.argv[1]);
    lap('hash of all names, which a run records', from, wall);
    [from, wall] = [seconds(), performance.now()];
    epochOrders(data, { seed: 1, sampling: 'shuffle' })(0);
    lap('order of an epoch', from, wall);
    globalThis.gc();
    console.log('memory beyond that of the program: ' + ((process.memoryUsage().rss - before) / 2 ** 20).toFixed(0) + ' MiB; at most ' + ((process.resourceUsage().maxRSS * 1024 - before) / 2 ** 20).toFixed(0) + ' MiB');`;
  process.stdout.write(
    execFileSync(process.execPath, [
      '--expose-gc',
      '--input-type=module',
      '-e',
      child,
      join(folder, '*.tar'),
    ]),
  );
} finally {
  await rm(folder, { recursive: true });
}

/** The images of an epoch of a stream as (shard, place), in the order in which its readers take turns. */
function* turns(readers) {
  const lanes = lanesOf({ shards, lanes: readers, seed: 1, epoch: 0 });
  for (let at = 0; at < Math.ceil(shards / readers) * perShard; at++)
    for (const lane of lanes) {
      const turn = lane[Math.floor(at / perShard)];
      if (turn) yield turn.shard * perShard + (at % perShard);
    }
}

async function* numbers(readers) {
  yield* turns(readers);
}

const batch = 256;

/** In batches of 256: different shards in one, and how many of its images a batch shares shards with in the one before. */
function describe(order) {
  let different = 0;
  let common = 0;
  let before = new Set();
  const batches = Math.floor(order.length / batch);
  for (let at = 0; at < batches; at++) {
    const from = order.slice(at * batch, (at + 1) * batch).map((image) => Math.floor(image / perShard));
    different += new Set(from).size;
    common += from.filter((shard) => before.has(shard)).length;
    before = new Set(from);
  }
  return `${(different / batches).toFixed(0)} different shards in a batch of ${batch}, ${((100 * common) / (batches * batch)).toFixed(0)}% of its images from shards of the batch before`;
}

console.log(`a permutation: ${describe([...permutation(shards * perShard, randomFor(1))])}`);
for (const [readers, size] of [
  [1, 1000],
  [4, 1000],
  [4, 10_000],
  [16, 1000],
  [16, 10_000],
]) {
  const order = [];
  for await (const image of shuffled(numbers(readers), { size, random: randomFor(2) })) order.push(image);
  let moved = 0;
  let place = 0;
  const came = new Map();
  for (const image of turns(readers)) came.set(image, place++);
  order.forEach((image, at) => {
    moved += Math.abs(at - came.get(image));
  });
  console.log(
    `${readers} readers, a buffer of ${size}: ${describe(order)}; an image is moved by ${(moved / order.length).toFixed(0)} places (a permutation: ${(order.length / 3).toFixed(0)})`,
  );
}
