/**
 * A prediction of a training's step on machines that one does not have, by the model in src/bench/replicas/step-model.ts.
 *
 *   node scripts/cluster/plan.mjs                                                    the tables of docs/scaling.md
 *   node scripts/cluster/plan.mjs --network inception-v4 --images-per-second 900 …   a network, and how fast one device trains it alone
 *   node scripts/cluster/plan.mjs --profile FILE …                                   of `inception bench profile --processes 2 --json`
 *   node scripts/cluster/plan.mjs --measured FILE [--profile FILE]                   the model beside what `ddp.mjs --output FILE` measured
 *
 * Options: --processes 8,64,256; --batch 32,256, of each process; --reduce float32,bfloat16; --per-node 8; --inside 450GB, of each process, and
 * --between 100Gbit, of each node: of each direction, B, KB, MB, GB or bit, Kbit, Mbit, Gbit a second; --of-peak 0.8, what of them is reached;
 * --inside-latency 0.005 --between-latency 0.02 --message 0.002, in milliseconds; --processor-per-megabyte 0, milliseconds of the step's own
 * processor for each megabyte of gradients; --algorithm owners,ring; --step MS, instead of images a second; --details, times in
 * milliseconds; --json.
 *
 * Without a profile the step is divided among layers by their multiply-adds. A built checkout ('npm run setup').
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeJob } from '../../dist/bench/job.js';
import { graphOfWork, trainingOptions } from '../../dist/bench/our-step.js';
import { planStep } from '../../dist/bench/replicas/step-model.js';
import { scaled, timelineOf, timesByMacs } from '../../dist/bench/replicas/timeline.js';
import { median } from '../../dist/bench/statistics.js';
import { compileTraining } from '../../dist/compile/training/compile-training.js';

const { values } = parseArgs({
  options: {
    network: { type: 'string' },
    'images-per-second': { type: 'string' },
    profile: { type: 'string' },
    measured: { type: 'string' },
    step: { type: 'string' },
    processes: { type: 'string', default: '8,64,256' },
    batch: { type: 'string', default: '32,256' },
    reduce: { type: 'string', default: 'float32,bfloat16' },
    'per-node': { type: 'string' },
    inside: { type: 'string' },
    between: { type: 'string' },
    'of-peak': { type: 'string', default: '0.8' },
    'inside-latency': { type: 'string', default: '0.005' },
    'between-latency': { type: 'string', default: '0.02' },
    message: { type: 'string', default: '0.002' },
    'processor-per-megabyte': { type: 'string', default: '0' },
    algorithm: { type: 'string', default: 'owners,ring' },
    details: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const fail = (text) => {
  process.stderr.write(`${text}\n`);
  process.exit(2);
};
const listOf = (text) => text.split(',').filter(Boolean);
const number = (name, text = values[name]) => {
  const value = Number(text);
  if (text === undefined || text === '' || !Number.isFinite(value) || value < 0)
    fail(`--${name}: expected a number of at least 0, received '${text}'`);
  return value;
};

/** Bytes a second. */
function rateOf(name, text) {
  const [, amount, unit = '', kind] = /^([\d.]+)([KMG]?)(B|bit)$/.exec(text) ?? [];
  if (kind === undefined) fail(`--${name}: expected a rate such as 450GB or 100Gbit, received '${text}'`);
  const bytes = Number(amount) * { '': 1, K: 1e3, M: 1e6, G: 1e9 }[unit] * (kind === 'B' ? 1 : 1 / 8);
  return bytes * number('of-peak');
}

/**
 * Images a second of one H100 alone, which nobody has measured here. timm's published benchmark of training steps (RTX 3090, mixed precision,
 * channels last, PyTorch 1.12) has 405 for Inception-v4, 359 for the released Inception-ResNet-v2 and 1218 for ResNet-50; NVIDIA's DeepLearningExamples
 * have 2470 for ResNet-50 on an A100, mixed precision. In the same proportion an A100 does 822 and 727; an H100 is taken for twice as fast.
 */
const assumed = { 'inception-v4': 2 * 822, 'inception-resnet-v2-released': 2 * 727 };

/** Those of docs/scaling.md. */
const usual = [
  { title: 'NVLink between all (450 GB/s each way for each GPU)', perNode: 1024 },
  { title: 'nodes of 8, eight cards of 400 Gbit/s each', perNode: 8, between: '3200Gbit' },
  { title: 'nodes of 8, one card of 100 Gbit/s each', perNode: 8, between: '100Gbit' },
];
const given = ['per-node', 'inside', 'between'].some((name) => values[name] !== undefined);
const own = {
  title: `nodes of ${values['per-node'] ?? 8}, ${values.inside ?? '450GB'}/s inside and ${values.between ?? '100Gbit'}/s between them`,
  ...{
    perNode: number('per-node', values['per-node'] ?? '8'),
    inside: values.inside,
    between: values.between,
  },
};
const clusters = (given ? [own] : usual).map(({ title, perNode, inside = '450GB', between = '100Gbit' }) => ({
  title,
  cluster: {
    perNode,
    inside: { bytesPerSecond: rateOf('inside', inside), latencyMs: number('inside-latency') },
    between: { bytesPerSecond: rateOf('between', between), latencyMs: number('between-latency') },
    messageMs: number('message'),
    processorMsPerByte: number('processor-per-megabyte') / 1e6,
  },
}));

/** When each bucket is whole in a step on one device. */
function timelineFor(network, reduce, batch, options = {}, givenMs = undefined) {
  const work = {
    ...{ work: 'train', network, batch, precision: 'float32' },
    device: 'cpu',
    threads: 1,
    options,
  };
  const graph = graphOfWork(work);
  const job = describeJob(graph, work, { weights: '', images: '', onnx: '' });
  // How buckets are cut depends neither on the number of processes nor on the kernels.
  const replicas = { count: 2, processes: 2, reduce, batchNorm: 'own', average: 'reduce' };
  const { step, store } = compileTraining(graph, { ...trainingOptions(job), kernels: 'aten', replicas });
  const speed = values['images-per-second'] ?? assumed[network];
  const stepMs = givenMs ?? (values.step === undefined ? (batch * 1000) / speed : number('step'));
  if (!(stepMs > 0))
    fail(
      `--network ${network}: expected --images-per-second or --step as well, how fast one device alone is`,
    );
  return timelineOf({ program: step, store }, timesByMacs(graph, step, stepMs));
}

function timelineOfProfile(path) {
  const profile = JSON.parse(readFileSync(path, 'utf8'));
  if (!profile.timeline)
    fail(
      `${path}: expected the output of 'inception bench profile --processes 2 --json'; received no timeline`,
    );
  const { timeline, reduce, work } = profile;
  const { step, batch: images } = { ...values, batch: work.batch };
  return {
    timeline: step === undefined ? timeline : scaled(timeline, number('step')),
    reduce,
    images,
    name: work.network,
  };
}

const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
const head = (cells) => {
  row(cells);
  console.log(`|${cells.map(() => ' --- |').join('')}`);
};
const percent = (plan) => `${(plan.efficiency * 100).toFixed(0)}%`;
/**
 * Rows of ddp.mjs, one process on each host. The step alone and the processor time that communication adds to it where the rate is not
 * limited are taken from the measurement; what a limited rate makes of them is predicted.
 */
function compareWith(path) {
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  const rows = lines.map((line) => JSON.parse(line)).filter(({ count }) => count > 1);
  const sideOf = (measured) => measured.sides.find(({ name }) => name === 'ours');
  const given = values.profile === undefined ? undefined : timelineOfProfile(values.profile).timeline;
  console.log(
    'The model beside measurements of one process on each host; the step alone and processor time at no limit are taken from them.\n',
  );
  const pairs = ['step, ms', 'predicted', 'exposed, ms', 'predicted'];
  head(['hosts', 'rate', 'precision', 'gradients', 'alone, ms', ...pairs]);
  for (const measured of rows) {
    const { count, rate, precision, batch, reduce } = measured;
    const side = sideOf(measured);
    const free = rows.find((other) => {
      const same = ['count', 'precision', 'batch', 'reduce'].every((name) => other[name] === measured[name]);
      return same && other.rate === 'none' && sideOf(other);
    });
    if (!side || !free) continue;
    const aloneMs = median(side.alone);
    const options = { width: 0.25, blocks: { A: 1, B: 2, C: 1 }, inputSize: 75, classes: 10 };
    const timeline = scaled(given ?? timelineFor('inception-v4', reduce, batch, options, aloneMs), aloneMs);
    const bytes = timeline.buckets.reduce((sum, bucket) => sum + bucket.bytes, 0);
    const [, amount = Number.POSITIVE_INFINITY, unit = 'g'] = /^([\d.]+)([mg])bit$/.exec(rate) ?? [];
    const link = {
      // Of the rate, headers take about 5%.
      bytesPerSecond: ((Number(amount) * (unit === 'g' ? 1e9 : 1e6)) / 8) * 0.95,
      latencyMs: number('between-latency'),
    };
    const plan = planStep(timeline, {
      ...{ processes: count, perNode: 1, inside: link, between: link, algorithm: 'owners', messageMs: 0 },
      processorMsPerByte: processorOf(sideOf(free)) / bytes,
    });
    const stepMs = median(side.run);
    const found = [stepMs, plan.stepMs, Math.max(0, stepMs - aloneMs), plan.stepMs - aloneMs];
    row([count, rate, precision, reduce, ...[aloneMs, ...found].map((ms) => ms.toFixed(1))]);
  }
}

/** Milliseconds that communication adds to a step's. */
const processorOf = ({ processor }) => Math.max(0, median(processor.run) - median(processor.alone));

if (values.measured !== undefined) {
  compareWith(values.measured);
  process.exit(0);
}

const steps =
  values.profile !== undefined
    ? [timelineOfProfile(values.profile)]
    : listOf(values.network ?? Object.keys(assumed).join(',')).flatMap((name) =>
        listOf(values.batch).flatMap((batch) =>
          listOf(values.reduce).map((reduce) => {
            const images = number('batch', batch);
            return { name, reduce, images, timeline: timelineFor(name, reduce, images) };
          }),
        ),
      );
const sizes = listOf(values.processes).map((text) => number('processes', text));
const algorithms = listOf(values.algorithm);
const plans = clusters.flatMap(({ title, cluster }) =>
  steps.flatMap(({ name, reduce, images, timeline }) =>
    sizes.flatMap((processes) =>
      algorithms.map((algorithm) => {
        const { buckets, ...plan } = planStep(timeline, { ...cluster, processes, algorithm });
        const about = { cluster: title, network: name, batch: images, reduce, processes, algorithm };
        const imagesPerSecond = (processes * images * 1000) / plan.stepMs;
        return { ...about, computeMs: timeline.computeMs, ...plan, imagesPerSecond, buckets };
      }),
    ),
  ),
);

if (values.json) process.stdout.write(`${JSON.stringify(plans, null, 2)}\n`);
else if (values.details) {
  const times = ['step alone, ms', 'communication, ms', 'exposed, ms'];
  head([
    'network',
    'batch',
    'gradients',
    'processes',
    'sums by',
    ...times,
    'efficiency',
    'images/s',
    'cluster',
  ]);
  for (const plan of plans) {
    const { network, batch, reduce, processes, algorithm, cluster, imagesPerSecond } = plan;
    const ms = [plan.computeMs, plan.communicationMs, plan.exposedMs].map((each) => each.toFixed(1));
    row([
      network,
      batch,
      reduce,
      processes,
      algorithm,
      ...ms,
      percent(plan),
      imagesPerSecond.toFixed(0),
      cluster,
    ]);
  }
} else {
  console.log(`Predicted efficiency, not measured; sums by ${algorithms.join(' / by ')}.`);
  for (const { title } of clusters) {
    console.log(`\n${title}\n`);
    head(['network', 'batch', 'gradients', ...sizes.map((size) => `${size} processes`)]);
    for (const { name, images, reduce } of steps) {
      const those = plans.filter(
        (plan) =>
          plan.cluster === title && plan.network === name && plan.batch === images && plan.reduce === reduce,
      );
      const cells = sizes.map((size) =>
        those
          .filter(({ processes }) => processes === size)
          .map(percent)
          .join(' / '),
      );
      row([name, images, reduce, ...cells]);
    }
  }
}
