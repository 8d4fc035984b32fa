// Kills trainings with SIGKILL, resumes them, and compares what they end with, bit for bit, with a training that was left alone:
//   node scripts/kill-training.mjs [--random 200] [--without-calls] [--folder DIR] [--seed 1] [--jobs 2] [--only REGEXP] [--best]
// Kills come at random moments, and at every write, sync, rename and removal of a whole training (a shared library that is
// preloaded counts them: kill-training/kill-at-call.c). Prints a table; exits with 1 if any training ended otherwise.
// Linux, a C compiler, and a built checkout ('npm run setup').
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const here = dirname(fileURLToPath(import.meta.url));
const bin = join(here, '../bin/inception');
const { values: options } = parseArgs({
  options: {
    random: { type: 'string', default: '200' },
    'without-calls': { type: 'boolean', default: false },
    folder: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    /** Trainings that keep their best epoch and end by patience. */
    best: { type: 'boolean', default: false },
    /** Of the calls. */
    only: { type: 'string', default: '' },
  },
});

const work = options.folder || mkdtempSync(join(tmpdir(), 'inception-kill-'));
const library = join(work, 'kill-at-call.so');
const say = (line) => process.stdout.write(`${line}\n`);

/** Mulberry32, so that a run of this script can be repeated with its seed. */
let state = Number(options.seed);
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

async function writeData(folder) {
  for (const split of ['train', 'val']) {
    for (const [label, name] of ['dark', 'light'].entries()) {
      mkdirSync(join(folder, split, name), { recursive: true });
      for (let index = 0; index < (split === 'train' ? 8 : 4); index++) {
        const pixels = Uint8Array.from({ length: 24 * 24 * 3 }, () => random() * 200 + label * 55);
        const image = sharp(pixels, { raw: { width: 24, height: 24, channels: 3 } });
        await image.png().toFile(join(folder, split, name, `${index}.png`));
      }
    }
  }
}

const data = join(work, 'data');
const beginning = (epochs) => [
  ...[
    'train',
    join(here, 'kill-training/network.mjs'),
    '--data',
    data,
    '--recipe',
    'small-data',
    '--batch',
    '4',
  ],
  ...['--epochs', `${epochs}`, '--save-every', '3', '--threads', '1', '--precision', 'float32'],
  ...(options.best ? ['--patience', '6'] : []),
];
const resuming = ['train', '--resume', '--save-every', '3', '--threads', '1'];

/** Runs the command. With `after`, it is killed after so many milliseconds; with `at`, at that call. */
function inception(args, run, { after, at, log } = {}) {
  // One thread for file operations: their order is then the same in every run.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', OMP_WAIT_POLICY: 'passive' };
  if (at !== undefined || log) {
    Object.assign(env, { LD_PRELOAD: library, KILL_FOLDER: run });
    if (at !== undefined) env.KILL_AT = `${at}`;
    if (log) env.KILL_LOG = log;
  }
  const begin = performance.now();
  const child = spawn(process.execPath, [bin, ...args, '--output', run], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const timer = after === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), after);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, killed: signal === 'SIGKILL', text, ms: performance.now() - begin });
    });
  });
}

/** Times and memory differ from run to run; everything else must not. */
const varying = /"(elapsedSeconds|imagesPerSecond|waitShare|residentBytes|elapsed|waited)":[^,}]+/g;
const steady = (text) => text.replaceAll(varying, '"$1":0');

/** All that a run leaves: its files by name, as text that can be compared. */
function contents(run) {
  const result = new Map();
  for (const entry of readdirSync(run, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(run.length + 1);
    if (entry.isDirectory()) result.set(name, 'folder');
    else if (name.startsWith('checkpoints/')) result.set(name, checkpointContents(readFileSync(path)));
    else if (name === 'curves.svg') result.set(name, readFileSync(path, 'utf8').replaceAll(run, 'RUN'));
    else result.set(name, steady(readFileSync(path, 'latin1')));
  }
  return result;
}

/** A checkpoint without the time that it took, and so without the header's own checksum. */
function checkpointContents(bytes) {
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString('utf8', 8, start));
  const { 'inception.crc32': checksums, state: stored, ...others } = metadata;
  const header = { ...others, checksums: checksums.slice(8), state: steady(stored), tensors };
  return JSON.stringify(header) + bytes.toString('latin1', start);
}

function differences(expected, run) {
  const found = contents(run);
  return [...new Set([...expected.keys(), ...found.keys()])].filter(
    (name) => expected.get(name) !== found.get(name),
  );
}

const inParallel = (job) => Promise.all(Array.from({ length: Number(options.jobs) }, job));

const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r${text} `);

const table = new Map();
function count(row, outcome) {
  const entry = table.get(row) ?? { kills: 0, equal: 0, failed: 0, different: 0 };
  entry.kills += outcome.kills;
  entry[outcome.result]++;
  table.set(row, entry);
}

/** Resumes until the run has ended, as a user would: by the first command where nothing had been written yet. */
const goOn = (run, epochs, kill) =>
  inception(existsSync(join(run, 'config.json')) ? resuming : beginning(epochs), run, kill);

/** Compares a run that has ended with the one left alone, says what is wrong, and forgets it if nothing is. */
function judge(row, { kills, expected, run, ended }) {
  if (ended.code !== 0) {
    say(`${row}: ${run}: exit status ${ended.code}\n${ended.text}`);
    return count(row, { kills, result: 'failed' });
  }
  const wrong = differences(expected, run);
  if (wrong.length > 0) say(`${row}: ${run}: other than without a kill: ${wrong.join(', ')}`);
  else rmSync(run, { recursive: true });
  return count(row, { kills, result: wrong.length > 0 ? 'different' : 'equal' });
}

async function killAtRandom(wanted) {
  const epochs = 20;
  const whole = join(work, 'random-whole');
  const { ms, code, text } = await inception(beginning(epochs), whole);
  if (code !== 0) throw new Error(text);
  const expected = contents(whole);
  let [kills, index] = [0, 0];
  await inParallel(async () => {
    while (kills < wanted) {
      const run = join(work, `random-${index++}`);
      let of = 0;
      for (;;) {
        // After eight kills a run may end, so that there is something to compare.
        const kill = kills < wanted && of < 8 ? { after: random() * ms * 1.1 } : {};
        const ended = await goOn(run, epochs, kill);
        if (!ended.killed) {
          judge('at random moments', { kills: of, expected, run, ended });
          break;
        }
        of++;
        kills++;
        progress(`${kills} random kills`);
      }
    }
  });
}

async function killAtCalls() {
  const epochs = 2;
  const built = spawnSync(
    'cc',
    ['-shared', '-fPIC', '-O1', '-o', library, join(here, 'kill-training/kill-at-call.c'), '-ldl'],
    { stdio: 'inherit' },
  );
  if (built.status !== 0) throw new Error('cc: cannot compile kill-at-call.c');
  const whole = join(work, 'calls-whole');
  const log = join(work, 'calls.log');
  const { code, text } = await inception(beginning(epochs), whole, { log });
  if (code !== 0) throw new Error(text);
  const expected = contents(whole);
  const calls = readFileSync(log, 'utf8').trim().split('\n');
  const left = calls.entries();
  await inParallel(async () => {
    for (const [index, call] of left) {
      if (!new RegExp(options.only).test(call)) continue;
      const run = join(work, `call-${index + 1}`);
      const killed = await inception(beginning(epochs), run, { at: index + 1 });
      if (!killed.killed) say(`call ${index + 1} (${call}) was not reached`);
      const kills = killed.killed ? 1 : 0;
      judge(nameOf(call), { kills, expected, run, ended: await goOn(run, epochs) });
      progress(`${index + 1} of ${calls.length} calls`);
    }
  });
}

/** A row of the table: numbers of processes and steps do not matter. */
const nameOf = (call) =>
  call
    .replace(/\.(?:[\d.]+|[0-9a-f-]{36})\.incomplete$/, '')
    .replace(/\/\d+\.safetensors/, '/N.safetensors')
    .replace(/ \/?$/, ' of the folder')
    .replace(' /', ' of ');

await writeData(data);
const begin = performance.now();
if (!options['without-calls']) await killAtCalls();
if (Number(options.random) > 0) await killAtRandom(Number(options.random));

const rows = [...table].sort(([a], [b]) => a.localeCompare(b));
const total = { kills: 0, equal: 0, failed: 0, different: 0 };
say(
  '| killed | kills | trainings that ended equal, bit for bit | different | could not be resumed |\n| --- | --- | --- | --- | --- |',
);
for (const [row, entry] of [...rows, ['all', total]]) {
  if (entry !== total) for (const key of Object.keys(total)) total[key] += entry[key];
  say(`| ${row} | ${entry.kills} | ${entry.equal} | ${entry.different} | ${entry.failed} |`);
}
say(`\n${Math.round((performance.now() - begin) / 1000)} s`);
const perfect = total.failed + total.different === 0;
if (perfect && !options.folder) rmSync(work, { recursive: true });
else say(`kept: ${work}`);
process.exitCode = perfect ? 0 : 1;
