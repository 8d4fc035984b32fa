/** Runs our side, the floor and every peer interleaved, and compares them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Parameter, parametersOf } from '../graph/graph.ts';
import type { ModelFile } from '../model/model-file.ts';
import { writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { BenchError } from './bench-error.ts';
import { benchImages, benchTensors, describeJob, type Job, type WorkOptions } from './job.ts';
import { type OnnxWork, writeOnnxJob } from './onnx-job.ts';
import { graphOfWork } from './our-step.ts';
import { findPeers, type PeerName, probePythons } from './peers.ts';
import { type Clock, Side, type SideCommand } from './side.ts';
import { pairedRatio, type Summary, summarise } from './statistics.ts';

export interface CompareOptions {
  readonly against: readonly PeerName[];
  readonly pythons: readonly string[];
  /** Where to look for TensorFlow.js. Default: the current folder. */
  readonly tfjs?: string | undefined;
  readonly rounds: number;
  readonly clock: Clock;
  /** The model whose weights all sides use. Default: random weights. */
  readonly model?: ModelFile | undefined;
  /** Called with progress messages. */
  readonly onProgress?: (line: string) => void;
}

export interface SideResult {
  readonly name: string;
  readonly about: string;
  readonly ms: Summary;
  readonly imagesPerSecond: number;
  /** How many times faster ours is, paired by round; 1 for ours itself. */
  readonly ratio: number;
  /** The floor's time divided by this side's, paired by round. */
  readonly ofFloor: number | null;
  readonly peakBytes: number | null;
  /** Largest difference of the first step's outputs from ours, relative to the largest output; null for the floor and for training everything. */
  readonly difference: number | null;
}

export interface Comparison {
  readonly work: WorkOptions;
  /** Source of the weights, if they are a model's. */
  readonly model?: string;
  /** Precision of an .onnx file, from its metadata. */
  readonly precision?: string;
  readonly clock: Clock;
  readonly sides: readonly SideResult[];
  readonly missing: readonly { readonly name: string; readonly advice: string }[];
  /** Peers that cannot do this work. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  /** Installed peers that failed, with the end of their error output. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

const ourCommand = (
  name: 'ours' | 'floor' | 'everything',
  job: string,
  worker: 'libtorch' | 'onnx-runtime' = 'libtorch',
): SideCommand => ({
  name,
  command: process.execPath,
  // Resolves from src/bench and from dist/bench; the child process needs JavaScript.
  args: [fileURLToPath(new URL(`../../dist/bench/workers/${worker}.js`, import.meta.url)), job, name],
});

/**
 * Outputs of one network by several implementations differ by rounding: with random weights, bfloat16 changes the second digit
 * of the logits. A wrong network differs by about 1.
 */
const tolerance = { float32: 2e-3, bfloat16: 0.15 };

export function compare(work: WorkOptions, options: CompareOptions): Promise<Comparison> {
  return compareSides(work, options, async (folder) => {
    const job = join(folder, 'job.json');
    await writeJob(work, folder, job, options.model);
    const ours = ourCommand('ours', job);
    if (work.freeze === undefined) return { job, ourSides: [ours, ourCommand('floor', job)], exports: true };
    // What freezing saves: the same network, images and weights with everything trained.
    const whole = join(folder, 'everything.json');
    const described = JSON.parse(readFileSync(job, 'utf8')) as Job;
    writeFileSync(whole, JSON.stringify({ ...described, freeze: undefined, frozenNodes: 0 } satisfies Job));
    return { job, ourSides: [ours, ourCommand('everything', whole)], exports: true };
  });
}

/** The same for an .onnx file; ours is ONNX Runtime in Node.js. There is no floor, since its convolutions are unknown. */
export async function compareOnnx(file: OnnxWork, options: CompareOptions): Promise<Comparison> {
  const comparison = await compareSides(file.work, options, async (folder) => {
    const job = writeOnnxJob(file, folder);
    return { job, ourSides: [ourCommand('ours', job, 'onnx-runtime')], exports: false };
  });
  return { ...comparison, precision: file.precision };
}

interface PreparedSides {
  readonly job: string;
  readonly ourSides: readonly SideCommand[];
  /** Whether PyTorch must export the network for ONNX Runtime. */
  readonly exports: boolean;
}

async function compareSides(
  work: WorkOptions,
  options: CompareOptions,
  prepare: (folder: string) => Promise<PreparedSides>,
): Promise<Comparison> {
  const { against, pythons, tfjs, rounds, clock, model, onProgress = () => undefined } = options;
  const folder = mkdtempSync(join(tmpdir(), 'inception-bench-'));
  const sides: Side[] = [];
  try {
    const { job, ourSides, exports } = await prepare(folder);
    const available = probePythons(against.length > 0 ? pythons : []);
    const peers = findPeers(against, { pythons: available, job, work, tfjs, exports });
    if (peers.exporter) exportOnnx(peers.exporter);
    const failed: { name: string; reason: string }[] = [];
    for (const command of [...ourSides, ...peers.found]) {
      onProgress(`preparing ${command.name}`);
      try {
        sides.push(await Side.start(command, { threads: work.threads, clock }));
      } catch (error) {
        if (!(error instanceof BenchError) || command.name === 'ours') throw error;
        failed.push({ name: command.name, reason: error.message });
      }
    }
    const times = await interleave(sides, { rounds, warmUps: warmUps[work.device], onProgress });
    const results: SideResult[] = [];
    for (const side of sides) results.push(await resultOf(side, { sides, times, work }));
    return {
      work,
      ...(model && { model: model.source }),
      clock,
      sides: results,
      missing: peers.missing,
      leftOut: peers.leftOut,
      failed,
    };
  } finally {
    for (const side of sides) side.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeJob(
  work: WorkOptions,
  folder: string,
  path: string,
  model: ModelFile | undefined,
): Promise<void> {
  const graph = graphOfWork(work);
  const [weights, images, onnx] = ['weights.safetensors', 'images.raw', 'network.onnx'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const job = describeJob(graph, work, { weights, images, onnx });
  const tensors = benchTensors(graph);
  const parameters = new Map(parametersOf(graph).map((parameter) => [parameter.name, parameter]));
  const read = (name: string) => model?.read(parameters.get(name) as Parameter);
  await writeSafetensors(weights, {
    tensors: model
      ? tensors.map((tensor) => ({ ...tensor, read: () => read(tensor.name) as Promise<Float32Array> }))
      : tensors,
  });
  const [height, width, channels] = graph.network.input;
  writeFileSync(images, benchImages(work.batch * height * width * channels));
  writeFileSync(path, JSON.stringify(job));
}

function exportOnnx({ command, args }: SideCommand): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) {
    throw new BenchError(
      `PyTorch's export to ONNX failed: ${stderr.trim().split('\n').slice(-3).join('\n')}`,
    );
  }
}

/** Steps that are not measured. On CUDA the third step of a program captures its graph. */
const warmUps = { cpu: 1, cuda: 3 };

/** A B C, B C A, …: the first side of a round finds the caches in another state than the others. */
async function interleave(
  sides: readonly Side[],
  { rounds, warmUps, onProgress }: { rounds: number; warmUps: number; onProgress: (line: string) => void },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (const side of sides) await side.run(warmUps);
  for (let round = 0; round < rounds; round++) {
    onProgress(`round ${round + 1} of ${rounds}`);
    for (let turn = 0; turn < sides.length; turn++) {
      const side = sides[(turn + round) % sides.length] as Side;
      times.get(side.name)?.push(...(await side.run(1)));
    }
  }
  return times;
}

async function resultOf(
  side: Side,
  {
    sides,
    times,
    work,
  }: { sides: readonly Side[]; times: ReadonlyMap<string, readonly number[]>; work: WorkOptions },
): Promise<SideResult> {
  const timesOf = (name: string) => times.get(name) as readonly number[];
  const sideTimes = timesOf(side.name);
  const ms = summarise(sideTimes);
  const ours = sides[0] as Side;
  const computesElse = side.name === 'floor' || side.name === 'everything';
  const difference = computesElse ? null : largestDifference(ours.output, side.output);
  if (difference !== null && !(difference <= tolerance[work.precision])) {
    throw new BenchError(
      `${side.name}: its outputs differ from ours by ${difference.toPrecision(3)} of the largest output, expected at most ${tolerance[work.precision]}: it does not compute the same network, so that the times cannot be compared`,
    );
  }
  return {
    name: side.name,
    about: side.about,
    ms,
    imagesPerSecond: (work.batch * 1000) / ms.median,
    ratio: pairedRatio(timesOf('ours'), sideTimes),
    ofFloor: times.has('floor') ? 1 / pairedRatio(timesOf('floor'), sideTimes) : null,
    peakBytes: await side.peakBytes(),
    difference,
  };
}

/** Relative to the largest of `expected`; infinite if lengths differ or a value is not a number. */
export function largestDifference(expected: readonly number[], received: readonly number[]): number {
  if (expected.length !== received.length || expected.length === 0) return Number.POSITIVE_INFINITY;
  const largest = Math.max(...expected.map(Math.abs));
  const differences = expected.map((value, index) => Math.abs(value - (received[index] as number)));
  return differences.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...differences) / largest;
}
