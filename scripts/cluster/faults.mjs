/**
 * Strikes trainings of several hosts at random, and looks at what becomes of them: whether every survivor ends in time and says who was lost,
 * and whether the training, resumed on the same hosts, ends with the same bits as one that was left alone. Prints a table and 'N of 50'.
 *
 * Over 400 lines: a fault, what it must lead to and what is looked at stand together.
 *
 *   node scripts/cluster/faults.mjs --output DIR [--faults 50] [--seed 1] [--pin 0,1] [--only KIND,…] [--again] [--keep]
 *
 * DIR/faults.jsonl gets a line for each fault, so that a second call goes on where the first was ended; --again repeats those that failed.
 * --keep keeps the run folders of all; those of failures and all output (DIR/NUMBER.log) are always kept. --pin: cores, by turns.
 *
 * Hosts are network namespaces (hosts.mjs). Linux, root, iproute2, iptables, and a built checkout ('npm run setup').
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { createHosts } from './hosts.mjs';

/**
 * What is done to the victim. `ends`: whether the training must end by it. `isAlive`: whether the victim's own process lives on and must end
 * by itself as well. `share`: how often it is drawn, out of 50.
 */
const kinds = {
  kill: { about: 'SIGKILL', ends: true, isAlive: false, share: 12 },
  stop: { about: 'SIGSTOP, longer than the timeout', ends: true, isAlive: true, share: 10 },
  cable: { about: 'cable pulled out', ends: true, isAlive: true, share: 10 },
  host: { about: 'host gone: cable and process', ends: true, isAlive: false, share: 6 },
  'loss-kill': { about: '5% of packets lost, then SIGKILL', ends: true, isAlive: false, share: 3 },
  'loss-cable': { about: '5% of packets lost, then cable pulled out', ends: true, isAlive: true, share: 3 },
  loss: { about: '5% of packets lost', ends: false, isAlive: true, share: 4 },
  slow: { about: 'SIGSTOP for two thirds of the timeout', ends: false, isAlive: true, share: 2 },
};

const { values: options } = parseArgs({
  options: {
    output: { type: 'string' },
    faults: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    pin: { type: 'string', default: '' },
    only: { type: 'string', default: Object.keys(kinds).join(',') },
    again: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const { output } = options;
const wanted = options.only.split(',');
if (!output || wanted.some((kind) => !Object.hasOwn(kinds, kind))) {
  console.error(`usage: faults.mjs --output DIR; kinds of --only: ${Object.keys(kinds).join(', ')}`);
  process.exit(2);
}
const total = Number(options.faults);
const seed = Number(options.seed);
const cores = options.pin.split(',').filter(Boolean).map(Number);
const bin = join(dirname(fileURLToPath(import.meta.url)), '../../bin/inception');
const data = join(output, 'data');
const results = join(output, 'faults.jsonl');

/** Beyond the timeout: for a look at the clock, the last words, and the end of a process, of which several share a core. */
const graceSeconds = 5;
/** A start, an end and everything else that is not a fault may take this long. */
const patienceSeconds = 240;
const saveEvery = 5;
/** Long enough that no training ends before its fault, also where nothing else is slow. */
const steps = 48;
const batch = 8;
const imagesPerClass = 48;

/** Mulberry32. */
function randomFrom(start) {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The faults of a seed. Each follows from its number alone, so that a longer series begins with a shorter one. */
function planOf(number) {
  const random = randomFrom(seed * 1_000_003 + number * 7919);
  random();
  const pool = Object.entries(kinds).flatMap(([kind, { share }]) => Array(share).fill(kind));
  const kind = pool[Math.floor(random() * pool.length)];
  const count = 2 + Math.floor(random() * 3);
  return {
    number,
    kind,
    count,
    victim: Math.floor(random() * count),
    // The default of --peer-timeout is 15 s; shorter ones save time.
    timeout: number % 10 === 9 ? 15 : 5,
    /** The fault comes when this checkpoint is there, */
    checkpoint: saveEvery * (1 + Math.floor(random() * 4)),
    /** so many milliseconds later, */
    after: random() * 300,
    /** or after so many of losses. */
    lossy: 500 + random() * 1000,
  };
}

async function writeData() {
  const random = randomFrom(1);
  for (const [split, count] of [
    ['train', imagesPerClass],
    ['val', 4],
  ])
    for (const [label, name] of ['dark', 'light'].entries()) {
      mkdirSync(join(data, split, name), { recursive: true });
      for (let index = 0; index < count; index++) {
        const pixels = Uint8Array.from({ length: 24 * 24 * 3 }, () => random() * 200 + label * 55);
        const image = sharp(pixels, { raw: { width: 24, height: 24, channels: 3 } });
        await image.png().toFile(join(data, split, name, `${index}.png`));
      }
    }
}

/** Inception-v4 as small as it can be: 0.85 million parameters. */
const beginning = (count) => [
  ...['train', 'inception-v4', '--width', '0.25', '--blocks', '1,1,1', '--input-size', '75'],
  ...['--data', data, '--recipe', 'small-data', '--batch', `${batch}`],
  ...[
    '--epochs',
    `${steps / stepsOfEpoch(count)}`,
    '--evaluate-every',
    `${Math.ceil(steps / stepsOfEpoch(count) / 4)}`,
  ],
];
const resuming = ['train', '--resume'];
const always = ['--save-every', `${saveEvery}`, '--threads', '1'];
const stepsOfEpoch = (count) => Math.floor((2 * imagesPerClass) / (batch * count));

/** The same command on every host. */
function startAll(cluster, args, { run, timeout, log }) {
  return cluster.hosts.map((host) => {
    const command = [
      process.execPath,
      bin,
      ...args,
      ...always,
      '--peer-timeout',
      `${timeout}s`,
      '--out',
      run,
    ];
    const pin = cores.length > 0 ? cores[host.rank % cores.length] : undefined;
    const env = cluster.environmentOf(host);
    const child = cluster.start(host, command, { env, pin, stdio: ['ignore', 'pipe', 'pipe'] });
    const one = { host, child, text: '', code: undefined, endedAt: undefined };
    const take = (chunk) => {
      one.text += chunk;
      appendFileSync(log, `${chunk}`.replace(/^(?=.)/gm, `${host.name} | `));
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    one.ended = new Promise((resolve) =>
      child.on('close', (code, signal) => {
        one.code = code ?? signal;
        one.endedAt = performance.now();
        appendFileSync(log, `${host.name} | ended: ${one.code}\n`);
        resolve(one);
      }),
    );
    return one;
  });
}

const isOver = ({ code }) => code !== undefined;

/** Waits until the condition holds or the time is over. */
async function until(condition, seconds) {
  const deadline = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

const allEnd = (processes, seconds = patienceSeconds) => until(() => processes.every(isOver), seconds);

async function killAll(processes) {
  for (const one of processes) if (!isOver(one)) one.child.kill('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
}

function newestCheckpoint(run) {
  const folder = join(run, 'checkpoints');
  if (!existsSync(folder)) return 0;
  const steps = readdirSync(folder).map((name) => Number(/^(\d+)\.safetensors$/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...steps);
}

/** The weights that a run ends with. */
const digestOf = (run) =>
  createHash('sha256')
    .update(tensorsOf(join(run, 'model.safetensors')))
    .digest('hex');

/** Without the header, which holds times. */
function tensorsOf(path) {
  const bytes = readFileSync(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

/** Whom a process said it had lost, if anybody. */
function namedBy({ text }) {
  const [, rank, host] = /rank (\d+) on host ([\w.-]*\w)[^\n]*(?:silent|is gone|has left)/.exec(text) ?? [];
  return rank === undefined ? undefined : { rank: Number(rank), host };
}

const references = new Map();

/** What a training of so many hosts ends with if nothing happens to it. */
async function referenceOf(count) {
  const name = `reference-${count}`;
  const run = join(output, name);
  if (!references.has(name)) {
    if (!existsSync(join(run, 'model.safetensors'))) {
      rmSync(run, { recursive: true, force: true });
      await withHosts(count, async (cluster) => {
        const log = join(output, `${name}.log`);
        const processes = startAll(cluster, beginning(count), { run, timeout: 120, log });
        await allEnd(processes);
        const codes = processes.map(({ code }) => code ?? 'still running');
        await killAll(processes);
        if (codes.some((code) => code !== 0)) {
          rmSync(run, { recursive: true, force: true });
          throw new Error(
            `an undisturbed training of ${count} hosts ended with ${codes.join(', ')}: see ${log}`,
          );
        }
      });
    }
    references.set(name, digestOf(run));
  }
  return references.get(name);
}

async function withHosts(count, use) {
  const cluster = createHosts({ count });
  try {
    return await use(cluster);
  } finally {
    cluster.close();
  }
}

/** Does it. Resolves when the fault is in place; `repair` ends it. */
async function strike(cluster, processes, plan) {
  const { kind, victim, timeout, lossy } = plan;
  const { host, child } = processes[victim];
  if (kind.startsWith('loss')) for (const each of cluster.hosts) cluster.setLoss(each, 5);
  if (kind.startsWith('loss-')) await sleep(lossy);
  const begin = performance.now();
  const how = kind.replace('loss-', '');
  if (how === 'cable' || how === 'host') cluster.setCable(host, false);
  if (how === 'kill' || how === 'host') child.kill('SIGKILL');
  if (how === 'stop' || how === 'slow') child.kill('SIGSTOP');
  return {
    begin,
    async repair() {
      if (how === 'stop') {
        // It goes on when everybody else has given it up.
        await sleep(Math.max(0, begin + (timeout + graceSeconds) * 1000 - performance.now()));
        child.kill('SIGCONT');
      }
      if (how === 'slow') {
        await sleep((timeout * 2000) / 3);
        child.kill('SIGCONT');
      }
    },
  };
}

/** What is wrong with how a process ended; undefined if nothing is. */
function faultOf(one, { plan, seconds, isVictim }) {
  const { victim, timeout } = plan;
  if (!isOver(one)) return 'did not end';
  if (one.code !== 1) return `ended with ${one.code}, expected 1`;
  if (seconds > timeout + graceSeconds) return `took ${seconds.toFixed(1)} s`;
  const named = namedBy(one);
  if (named === undefined) return 'named nobody';
  if (named.host !== `worker-${named.rank + 1}`) return `said that rank ${named.rank} was on ${named.host}`;
  // From behind its own cable, and after its own sleep, a process sees others silent, or hears of its own loss.
  if (!isVictim && named.rank !== victim) return `named rank ${named.rank}`;
  return undefined;
}

async function sufferFault(plan) {
  const { number, kind, count, victim, timeout, checkpoint, after } = plan;
  const { ends, isAlive } = kinds[kind];
  const run = join(output, `run-${number}`);
  const log = join(output, `${number}.log`);
  rmSync(run, { recursive: true, force: true });
  writeFileSync(log, `${JSON.stringify(plan)}\n`);
  const expected = await referenceOf(count);
  const result = await withHosts(count, async (cluster) => {
    if (kind.startsWith('loss')) cluster.sendSinglePackets();
    let processes = startAll(cluster, beginning(count), { run, timeout, log });
    try {
      const began = () => newestCheckpoint(run) >= checkpoint || processes.some(isOver);
      if (!(await until(began, patienceSeconds)) || processes.some(isOver))
        return { wrong: ['did not begin'] };
      await sleep(after);
      if (processes.some(isOver)) return { wrong: ['ended before the fault'] };
      const before = newestCheckpoint(run);
      const { begin, repair } = await strike(cluster, processes, plan);
      appendFileSync(log, `-- ${kind} of worker-${victim + 1}, newest checkpoint ${before}\n`);
      const wrong = [];
      const survivors = [];
      if (ends) {
        const others = processes.filter(({ host }) => host.rank !== victim);
        await allEnd(others, timeout + graceSeconds + 10);
        await repair();
        const continuedAt = kind === 'stop' ? performance.now() : begin;
        if (isAlive) await until(() => isOver(processes[victim]), timeout + graceSeconds + 10);
        for (const one of isAlive ? processes : others) {
          const isVictim = one.host.rank === victim;
          const seconds = ((one.endedAt ?? performance.now()) - (isVictim ? continuedAt : begin)) / 1000;
          const fault = faultOf(one, { plan, seconds, isVictim });
          if (fault) wrong.push(`rank ${one.host.rank} ${fault}`);
          survivors.push({
            rank: one.host.rank,
            isVictim,
            seconds,
            code: one.code,
            named: namedBy(one)?.rank,
          });
        }
      } else {
        await repair();
        await allEnd(processes);
        for (const one of processes)
          if (one.code !== 0)
            wrong.push(`rank ${one.host.rank} ended with ${one.code ?? 'nothing'}, expected 0`);
      }
      await killAll(processes);
      for (const host of cluster.hosts) cluster.setLoss(host, 0);
      cluster.setCable(cluster.hosts[victim], true);
      const newest = newestCheckpoint(run);
      if (newest < before) wrong.push(`checkpoint ${before} is lost, the newest is ${newest}`);
      let resumed;
      if (ends) {
        appendFileSync(log, `-- resumed, newest checkpoint ${newest}\n`);
        processes = startAll(cluster, resuming, { run, timeout, log });
        await allEnd(processes);
        const codes = processes.map(({ code }) => code ?? 'nothing');
        if (codes.some((code) => code !== 0)) wrong.push(`resumed, it ended with ${codes.join(', ')}`);
        resumed = Number(
          /resumed after step ([\d,]+)/.exec(processes[0].text)?.[1].replaceAll(',', '') ?? Number.NaN,
        );
        if (resumed !== newest) wrong.push(`resumed after step ${resumed} instead of ${newest}`);
      }
      const isSame = existsSync(join(run, 'model.safetensors')) && digestOf(run) === expected;
      if (!isSame) wrong.push('other weights at the end than without the fault');
      return { before, newest, resumed, survivors, wrong };
    } finally {
      await killAll(processes);
    }
  });
  if (result.wrong.length === 0) {
    rmSync(log);
    if (!options.keep) rmSync(run, { recursive: true });
  }
  return { ...plan, seed, ...result };
}

function printTable(rows) {
  const cell = (list, digits = 1) => (list.length === 0 ? '' : Math.max(...list).toFixed(digits));
  console.log('| fault | hosts | timeout, s | faults | slowest to end, s | resumed, same bits |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [kind, { about, ends }] of Object.entries(kinds))
    for (const timeout of [5, 15]) {
      const list = rows.filter((row) => row.kind === kind && row.timeout === timeout);
      if (list.length === 0) continue;
      const seconds = list.flatMap(({ survivors = [] }) =>
        survivors.filter(({ isVictim }) => !isVictim).map((survivor) => survivor.seconds),
      );
      const counts = [...new Set(list.map(({ count }) => count))].sort();
      const right = list.filter(({ wrong }) => wrong.length === 0).length;
      const slowest = ends ? cell(seconds) : 'does not end';
      console.log(
        `| ${[about, counts.join(', '), timeout, list.length, slowest, `${right} of ${list.length}`].join(' | ')} |`,
      );
    }
  for (const { number, kind, wrong } of rows)
    if (wrong.length > 0)
      console.log(`\nfault ${number} (${kind}): ${wrong.join('; ')}: see ${join(output, `${number}.log`)}`);
}

mkdirSync(output, { recursive: true });
if (!existsSync(data)) await writeData();
const done = new Map(
  (existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [])
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter((row) => row.seed === seed)
    .map((row) => [row.number, row]),
);
const plans = Array.from({ length: total }, (_, number) => planOf(number)).filter(({ kind }) =>
  wanted.includes(kind),
);
for (const plan of plans) {
  const earlier = done.get(plan.number);
  if (earlier && !(options.again && earlier.wrong.length > 0)) continue;
  const begin = performance.now();
  const row = await sufferFault(plan);
  done.set(plan.number, row);
  appendFileSync(results, `${JSON.stringify(row)}\n`);
  const { number, kind, count, victim, survivors = [], wrong } = row;
  const times = survivors.map(({ rank, seconds }) => `${rank}: ${seconds.toFixed(1)} s`).join(', ');
  console.error(
    `${number} ${kind}, rank ${victim} of ${count}: ${wrong.join('; ') || 'right'} (${times}; ${((performance.now() - begin) / 1000).toFixed(0)} s)`,
  );
}
const rows = plans.map(({ number }) => done.get(number));
printTable(rows);
const right = rows.filter(({ wrong }) => wrong.length === 0).length;
console.log(`\n${right} of ${rows.length}`);
process.exitCode = right === rows.length ? 0 : 1;
