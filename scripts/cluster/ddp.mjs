/**
 * Images per second of our training by several processes beside PyTorch's DistributedDataParallel: the same network, weights, images and RMSProp,
 * one process with one thread on each host, the same cores, in turns. Prints a table; --output FILE gets a line of JSON for each row.
 *
 *   node scripts/cluster/ddp.mjs --python PATH [--hosts 1,2] [--rates none,10gbit,1gbit] [--precisions float32] [options]
 *
 * Options: --cores 0,1, by turns; --rounds 10, of --steps 5 each; --batch 16, of each process; --network inception-v4 --width 0.25 --blocks 1,2,1
 * --input-size 75; --reduce float32, or bfloat16 for ours alone; --compile: torch.compile on PyTorch's side; --only ours or pytorch.
 *
 * For both sides: 'alone' is the same step without communication, 'exposed' what a step takes longer with it, 'traffic alone' the
 * communication by itself, all buckets at once; what is not exposed of it is hidden behind the backward pass. Sent bytes are counted at the hosts'
 * interfaces, with all headers. Processor time is that of all threads of a process, for a step and for the communication by itself: it
 * hardly depends on what else the machine does, and what the wire takes is not in it. One row is ours and theirs within moments of each other; ratios are medians of rounds.
 *
 * Hosts are network namespaces (hosts.mjs): their processes share this machine's cores, and what the kernel does to carry a packet is done by
 * the sender's core. Two hosts on one core, or a core that something else uses, measure nothing.
 * Linux, root, iproute2, and a built checkout ('npm run setup').
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchImages, benchTensors, describeJob } from '../../dist/bench/job.js';
import { graphOfWork } from '../../dist/bench/our-step.js';
import { median, pairedRatio } from '../../dist/bench/statistics.js';
import { writeSafetensors } from '../../dist/weights/safetensors/safetensors.js';
import { createHosts } from './hosts.mjs';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    hosts: { type: 'string', default: '1,2' },
    rates: { type: 'string', default: 'none,10gbit,1gbit' },
    precisions: { type: 'string', default: 'float32' },
    cores: { type: 'string', default: '0,1' },
    rounds: { type: 'string', default: '10' },
    steps: { type: 'string', default: '5' },
    batch: { type: 'string', default: '16' },
    network: { type: 'string', default: 'inception-v4' },
    width: { type: 'string', default: '0.25' },
    blocks: { type: 'string', default: '1,2,1' },
    'input-size': { type: 'string', default: '75' },
    reduce: { type: 'string', default: 'float32' },
    compile: { type: 'boolean', default: false },
    only: { type: 'string', default: 'ours,pytorch' },
    output: { type: 'string' },
  },
});
const listOf = (text) => text.split(',').filter(Boolean);
const cores = listOf(options.cores).map(Number);
const steps = Number(options.steps);
const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inception-ddp-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function writeJob(precision) {
  const size = Number(options['input-size']);
  const work = {
    ...{ work: 'train', network: options.network, batch: Number(options.batch), precision },
    ...{ device: 'cpu', threads: 1 },
    options: {
      width: Number(options.width),
      blocks: Object.fromEntries(listOf(options.blocks).map((count, index) => ['ABC'[index], Number(count)])),
      inputSize: size,
      classes: 10,
    },
  };
  const graph = graphOfWork(work);
  const [weights, images, onnx, path] = ['weights.safetensors', 'images.raw', 'network.onnx', 'job.json'].map(
    (name) => join(folder, name),
  );
  await writeSafetensors(weights, { tensors: benchTensors(graph) });
  const [height, width, channels] = graph.network.input;
  writeFileSync(images, benchImages(work.batch * height * width * channels));
  const job = { ...describeJob(graph, work, { weights, images, onnx }), reduce: options.reduce };
  writeFileSync(path, JSON.stringify(job));
  return path;
}

/** A process on a host that answers every line by a line. */
function startRank(cluster, host, command, { port }) {
  const env = {
    ...cluster.environmentOf(host, { port }),
    ...{ ADDRESS: host.address, OMP_NUM_THREADS: '1' },
  };
  const child = cluster.start(host, command, { env, pin: cores[host.rank % cores.length] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-4000);
  });
  child.stdin.on('error', () => undefined);
  const replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    send: (line) => child.stdin.write(`${line}\n`),
    async reply() {
      const { value, done } = await replies.next();
      if (!done) return JSON.parse(value);
      await new Promise((resolve) => setTimeout(resolve, 200));
      throw new Error(
        `${host.name}: ${command.slice(0, 2).join(' ')} ended: ${errors.trim() || 'no output'}`,
      );
    },
  };
}

/** All ranks of one side. */
async function startSide(name, cluster, job) {
  const command = {
    ours: [process.execPath, join(here, 'our-rank.mjs'), job],
    pytorch: [options.python, join(here, 'ddp.py'), job, options.compile ? 'compile' : 'eager'],
  }[name];
  const ranks = cluster.hosts.map((host) => startRank(cluster, host, command, { port: 29_500 }));
  const fromAll = () => Promise.all(ranks.map((rank) => rank.reply()));
  const ask = (line) => {
    for (const rank of ranks) rank.send(line);
    return fromAll();
  };
  let first;
  if (name === 'ours') {
    const [{ port }] = await fromAll();
    first = await ask(`join ${port}`);
  } else first = await fromAll();
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  return {
    name,
    about: first[0].about,
    /** Of the first step: the loss over all ranks' images, and the norm of the mean gradient. */
    first: {
      loss: mean(first.map(({ loss }) => loss)),
      gradientNorm: mean(first.map(({ gradientNorm }) => gradientNorm)),
    },
    ask,
    /** The median step of the slowest rank, and the processor time of a rank's threads for a step; milliseconds. */
    async times(command, count) {
      const all = await ask(`${command} ${count}`);
      const slowest = all[0].wall.map((_, step) => Math.max(...all.map(({ wall }) => wall[step])));
      return { wall: median(slowest), processor: mean(all.map(({ processor }) => processor)) };
    },
    stop() {
      for (const { child } of ranks) child.stdin.end();
      return Promise.all(ranks.map(({ child }) => new Promise((resolve) => child.once('close', resolve))));
    },
  };
}

async function measure({ count, rate, precision }) {
  const job = await writeJob(precision);
  const cluster = createHosts({ count, rate: rate === 'none' ? undefined : rate });
  try {
    const sides = [];
    for (const name of listOf(options.only)) sides.push(await startSide(name, cluster, job));
    const series = new Map(
      sides.map(({ name }) => [
        name,
        {
          ...{ run: [], alone: [], reduce: [], sent: [], traffic: [] },
          processor: { run: [], alone: [], reduce: [] },
        },
      ]),
    );
    const works = count > 1 ? ['run', 'alone', 'reduce'] : ['run'];
    for (const side of sides) for (const work of works) await side.times(work, 3);
    const sentBy = () => Math.max(...cluster.hosts.map((host) => cluster.traffic(host).sent));
    const trafficOf = async (side) => (side.name === 'ours' ? await side.ask('traffic') : []);
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const work of works) {
        // Whoever is first in one round is second in the next one.
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
          const found = series.get(side.name);
          const [before, trafficBefore] = [sentBy(), await trafficOf(side)];
          const { wall, processor } = await side.times(work, steps);
          found[work].push(wall);
          found.processor[work].push(processor);
          if (work !== 'run') continue;
          found.sent.push((sentBy() - before) / steps);
          const after = await trafficOf(side);
          found.traffic.push(
            after.map((now, rank) => ({
              busyMs: (now.busyMs - trafficBefore[rank].busyMs) / steps,
              exposedMs: (now.exposedMs - trafficBefore[rank].exposedMs) / steps,
              bytes: (now.bytes - trafficBefore[rank].bytes) / steps,
            })),
          );
        }
      }
    }
    for (const side of sides) await side.stop();
    return {
      count,
      rate,
      precision,
      batch: Number(options.batch),
      reduce: options.reduce,
      sides: sides.map(({ name, about, first }) => ({ name, about, first, ...series.get(name) })),
    };
  } finally {
    cluster.close();
  }
}

/** What a row's side comes to. */
function summaryOf({ run, alone, reduce, processor, sent, traffic }, { count, batch }) {
  const step = median(run);
  const common = {
    step,
    images: (count * batch * 1000) / step,
    sent: median(sent),
    processor: median(processor.run),
  };
  if (alone.length === 0) return common;
  // Paired: the machine was the same in a round.
  const exposed = Math.max(0, median(run.map((time, round) => time - alone[round])));
  const communication = median(reduce);
  const share = (part, whole) => (whole > 0 ? Math.max(0, 1 - part / whole) : Number.NaN);
  const own = traffic.flat();
  return {
    ...common,
    alone: median(alone),
    exposed,
    communication,
    processorOfTraffic: median(processor.reduce),
    hidden: share(exposed, communication),
    hiddenByEngine:
      own.length > 0
        ? share(
            own.reduce((sum, { exposedMs }) => sum + exposedMs, 0),
            own.reduce((sum, { busyMs }) => sum + busyMs, 0),
          )
        : undefined,
  };
}

const heads = [
  ...['hosts', 'rate', 'precision', 'side', 'images/s', 'ratio', 'step, ms', 'alone, ms', 'exposed, ms'],
  ...['traffic alone, ms', 'hidden', 'hidden, engine', 'sent by a host, MB a step'],
  ...['processor, ms a step', 'of traffic alone'],
];
console.log(`| ${heads.join(' | ')} |\n|${heads.map(() => ' --- |').join('')}`);
/** By rounding; bfloat16 is another size of it. */
const tolerance = { float32: 1e-3, bfloat16: 5e-2 };
const abouts = new Set();
const doubts = [];
for (const precision of listOf(options.precisions))
  for (const count of listOf(options.hosts).map(Number))
    for (const rate of count === 1 ? ['none'] : listOf(options.rates)) {
      const row = await measure({ count, rate, precision });
      if (options.output) appendFileSync(options.output, `${JSON.stringify(row)}\n`);
      const [ours, theirs] = ['ours', 'pytorch'].map((wanted) =>
        row.sides.find(({ name }) => name === wanted),
      );
      for (const side of row.sides) {
        abouts.add(`${side.name}: ${side.about}`);
        const found = summaryOf(side, row);
        const number = (value, digits = 1) => (value === undefined ? '' : value.toFixed(digits));
        const percent = (value) => (value === undefined ? '' : `${Math.round(value * 100)}%`);
        const ratio = side === ours && theirs ? `${pairedRatio(ours.run, theirs.run).toFixed(2)}x` : '';
        const cells = [
          ...[count, rate, precision, side.name, number(found.images), ratio, number(found.step)],
          ...[number(found.alone), number(found.exposed), number(found.communication)],
          ...[percent(found.hidden), percent(found.hiddenByEngine), number(found.sent / 1e6, 2)],
          ...[number(found.processor), number(found.processorOfTraffic)],
        ];
        console.log(`| ${cells.join(' | ')} |`);
      }
      if (ours && theirs) {
        // Later losses differ: PyTorch adds RMSProp's epsilon after the root and begins with zeros, TensorFlow and ours do not.
        for (const [what, own] of Object.entries(ours.first)) {
          const other = theirs.first[what];
          if (Math.abs(own / other - 1) < tolerance[precision]) continue;
          doubts.push(
            `${count} hosts, ${rate}, ${precision}: in the first step ${what} is ${own.toPrecision(6)} here and ${other.toPrecision(6)} there: the sides do not compute the same`,
          );
        }
      }
    }
for (const line of [...abouts, ...doubts]) console.log(`\n${line}`);
process.exitCode = doubts.length > 0 ? 1 : 0;
