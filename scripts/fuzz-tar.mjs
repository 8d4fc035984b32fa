/**
 * Reads archives that were damaged at random: `node scripts/fuzz-tar.mjs [COUNT] [SEED]` after `npm run build`. Each has to give samples or
 * a ShardError, soon and in bounded memory; anything else is written to fuzz-tar-N.tar and counted.
 */
import { writeFile } from 'node:fs/promises';
import { scanMembers } from '../dist/data/shards/scan-shard.js';
import { StreamSource } from '../dist/data/shards/tar/byte-source.js';
import { headerBytes, tarBytes, withChecksum } from '../dist/data/shards/tar/tar-bytes.js';

const [count = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);

/** Of processor time; more is a hang. One takes 100 microseconds. */
const longestMs = 1000;
const mostBytes = 512 * 2 ** 20;

let state = seed >>> 0;
const draw = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const pick = (list) => list[draw(list.length)];

const bodies = ['', '7', '{"label": 3}', '{"label":', 'x'.repeat(700)];
const names = [
  'a.jpg',
  'a.cls',
  'b/c.png',
  'b/c.json',
  'd',
  `${'n'.repeat(60)}/${'m'.repeat(80)}.jpg`,
  '../x.jpg',
  'é.txt',
];
const seeds = Array.from({ length: 200 }, () =>
  tarBytes(
    Array.from({ length: 1 + draw(4) }, () => ({
      name: pick(names),
      body: pick(bodies),
      form: pick(['ustar', 'gnu', 'pax']),
      ...(draw(6) === 0 && { type: pick([...'0123456789LKxgSMVD']) }),
      ...(draw(8) === 0 && { size: pick([1, 511, 513, 2 ** 29, 2 ** 33, 2 ** 40]) }),
      ...(draw(8) === 0 && { records: { size: pick(['3', '-1', '1e3', String(2 ** 60)]) } }),
    })),
  ),
);

/** Changes that lie where a header is, most of them with a checksum that is right again. */
function damaged() {
  const bytes = Buffer.from(pick(seeds));
  const blocks = bytes.length / 512;
  for (let changes = 1 + draw(4); changes > 0; changes--) {
    const block = bytes.subarray(512 * draw(blocks)).subarray(0, 512);
    const kind = draw(8);
    if (kind === 0) block[draw(512)] = draw(256);
    else if (kind === 1) block.fill(draw(256), draw(512));
    else if (kind === 2) block[124] = pick([0x80, 0xff, 0x20, 0]);
    else if (kind === 3) block.write(pick(['77777777777', '00000000000', '00000001000', '-1', '']), 124);
    else if (kind === 4) block.write(pick([...'0123456789LKxgSMVD\0A']), 156);
    else if (kind === 5)
      block.set(headerBytes({ name: pick(names), size: draw(3000), type: pick([...'0xL5']) }));
    else if (kind === 6) block.write(pick(['ustar\0', 'ustar  \0', 'xxxxx']), 257);
    else block.copyWithin(draw(512), draw(512));
    if (draw(4) > 0) withChecksum(block);
  }
  return draw(10) === 0 ? bytes.subarray(0, draw(bytes.length)) : bytes;
}

async function* pieces(bytes) {
  const size = 1 + draw(2000);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const outcomes = { read: 0, refused: 0, failed: 0 };
let slowest = 0;
let largest = 0;
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
for (let number = 0; number < count; number++) {
  const bytes = damaged();
  const start = cpuMs();
  let problem;
  try {
    await scanMembers(new StreamSource(pieces(bytes)), 'x.tar');
    outcomes.read++;
  } catch (error) {
    if (error.name === 'ShardError') outcomes.refused++;
    else problem = error.stack;
  }
  const elapsed = cpuMs() - start;
  slowest = Math.max(slowest, elapsed);
  if (elapsed > longestMs) problem ??= `took ${elapsed.toFixed(0)} ms of processor time`;
  if (number % 1000 === 0) {
    const { rss } = process.memoryUsage();
    largest = Math.max(largest, rss);
    if (rss > mostBytes) problem ??= `the process has ${rss} bytes`;
  }
  if (problem === undefined) continue;
  outcomes.failed++;
  await writeFile(`fuzz-tar-${number}.tar`, bytes);
  console.error(`fuzz-tar-${number}.tar: ${problem}`);
}
const seconds = cpuMs() / 1000;
console.log(
  `${count} archives in ${seconds.toFixed(0)} s of processor time: ${outcomes.read} read, ${outcomes.refused} refused, ${outcomes.failed} failed; the slowest took ${slowest.toFixed(1)} ms; ${(largest / 2 ** 20).toFixed(0)} MiB at most`,
);
process.exitCode = outcomes.failed > 0 ? 1 : 0;
